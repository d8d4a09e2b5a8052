//! Calls that stand for something else: `has`, the loops, and what optional values and sorted lists bring.

use std::sync::Arc;

use super::Parser;
use crate::ast::{Comprehension, Expr, Id, Kind, Literal, operator};

/// The accumulator of a macro's loop. No expression can name it.
pub(crate) const ACCUMULATOR: &str = "@result";

/// Its former name, which no loop may use either.
const FORMER_ACCUMULATOR: &str = "__result__";

/// Macros that say an operand twice stop at so many nodes: one in another doubles them.
const MAX_NODES: usize = 200_000;

/// A call that is no macro, given back.
type NoMacro = (Option<Expr>, Vec<Expr>);

impl Parser<'_> {
    /// What a call stands for, or the call's parts if it stands for itself. `id` is at its opening bracket.
    pub(super) fn expand(
        &mut self,
        id: Id,
        name: &str,
        target: Option<Expr>,
        mut arguments: Vec<Expr>,
    ) -> Result<Expr, NoMacro> {
        let at = self.offsets[id as usize - 1];
        let Some(target) = target else {
            if name == "has" && arguments.len() == 1 {
                return Ok(self.has(at, arguments.remove(0)));
            }
            return Err((None, arguments));
        };
        let count = arguments.len();
        let two = match (name, count) {
            ("all" | "exists" | "exists_one" | "existsOne" | "map" | "filter", 2) | ("map", 3) => {
                // `map` of three is: variable, condition, value.
                false
            }
            ("all" | "exists" | "exists_one" | "existsOne", 3)
            | ("transformList" | "transformMap" | "transformMapEntry", 3 | 4) => true,
            ("optMap" | "optFlatMap", 2) => return Ok(self.optional_map(at, name == "optMap", target, arguments)),
            ("sortBy", 2) => return self.sort_by(at, target, arguments),
            _ => return Err((Some(target), arguments)),
        };
        let variables = if two { 2 } else { 1 };
        let names = match self.variables(&arguments[..variables], two) {
            Ok(names) => names,
            Err(error) => return Ok(error),
        };
        let first = arguments[0].clone();
        let mut rest = arguments.split_off(variables).into_iter();
        let body = rest.next_back().unwrap_or(Expr { id, kind: Kind::Error });
        let filter = rest.next();
        let (initial, condition, step, result) = match name {
            "all" => {
                let initial = self.literal(at, Literal::Bool(true));
                let held = self.accumulator(at);
                let condition = self.call(at, operator::NOT_STRICTLY_FALSE, vec![held]);
                let held = self.accumulator(at);
                let step = self.call(at, operator::AND, vec![held, body]);
                (initial, condition, step, self.accumulator(at))
            }
            "exists" => {
                let initial = self.literal(at, Literal::Bool(false));
                let held = self.accumulator(at);
                let not = self.call(at, operator::NOT, vec![held]);
                let condition = self.call(at, operator::NOT_STRICTLY_FALSE, vec![not]);
                let held = self.accumulator(at);
                let step = self.call(at, operator::OR, vec![held, body]);
                (initial, condition, step, self.accumulator(at))
            }
            "exists_one" | "existsOne" => {
                let initial = self.literal(at, Literal::Int(0));
                let condition = self.literal(at, Literal::Bool(true));
                let (held, one) = (self.accumulator(at), self.literal(at, Literal::Int(1)));
                let more = self.call(at, operator::ADD, vec![held, one]);
                let same = self.accumulator(at);
                let step = self.call(at, operator::CONDITIONAL, vec![body, more, same]);
                let (held, one) = (self.accumulator(at), self.literal(at, Literal::Int(1)));
                (initial, condition, step, self.call(at, operator::EQUALS, vec![held, one]))
            }
            "transformMap" | "transformMapEntry" => {
                let initial = self.node(at, Kind::Map(Vec::new()));
                let condition = self.literal(at, Literal::Bool(true));
                let mut inserted = vec![self.accumulator(at)];
                if name == "transformMap" {
                    inserted.push(self.node(at, Kind::Ident(names.0.clone())));
                }
                inserted.push(body);
                let step = self.call(at, operator::MAP_INSERT, inserted);
                (initial, condition, self.filtered(at, filter, step), self.accumulator(at))
            }
            // map, filter, transformList
            _ => {
                let initial = self.node(at, Kind::List { elements: Vec::new(), optional: Vec::new() });
                let condition = self.literal(at, Literal::Bool(true));
                let (added, filter) = if name == "filter" { (first, Some(body)) } else { (body, filter) };
                let held = self.accumulator(at);
                let added = self.node(at, Kind::List { elements: vec![added], optional: Vec::new() });
                let step = self.call(at, operator::ADD, vec![held, added]);
                (initial, condition, self.filtered(at, filter, step), self.accumulator(at))
            }
        };
        Ok(self.comprehension(at, target, names, initial, [condition, step, result]))
    }

    fn accumulator(&mut self, at: usize) -> Expr {
        self.node(at, Kind::Ident(ACCUMULATOR.into()))
    }

    /// `filter ? step : accumulator`
    fn filtered(&mut self, at: usize, filter: Option<Expr>, step: Expr) -> Expr {
        let Some(filter) = filter else { return step };
        let same = self.accumulator(at);
        self.call(at, operator::CONDITIONAL, vec![filter, step, same])
    }

    fn comprehension(
        &mut self,
        at: usize,
        range: Expr,
        (variable, second): (Arc<str>, Option<Arc<str>>),
        initial: Expr,
        [condition, step, result]: [Expr; 3],
    ) -> Expr {
        let accumulator = ACCUMULATOR.into();
        let comprehension = Comprehension { range, variable, second, accumulator, initial, condition, step, result };
        self.node(at, Kind::Comprehension(Box::new(comprehension)))
    }

    fn has(&mut self, at: usize, argument: Expr) -> Expr {
        match argument.kind {
            Kind::Select { operand, field, test: false } => self.node(at, Kind::Select { operand, field, test: true }),
            _ => {
                let at = self.offsets[argument.id as usize - 1];
                self.issue(at, "invalid argument to has() macro")
            }
        }
    }

    /// The names of a loop's variables, or the error that stands for the loop.
    fn variables(&mut self, arguments: &[Expr], two: bool) -> Result<(Arc<str>, Option<Arc<str>>), Expr> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for argument in arguments {
            let at = self.offsets[argument.id as usize - 1];
            let Kind::Ident(name) = &argument.kind else {
                let why = if two { "argument must be a simple name" } else { "argument is not an identifier" };
                return Err(self.issue(at, why));
            };
            if names.contains(name) {
                return Err(self.issue(at, format!("duplicate variable name: {name}")));
            }
            names.push(name.clone());
        }
        for (name, argument) in names.iter().zip(arguments) {
            if **name == *ACCUMULATOR || **name == *FORMER_ACCUMULATOR {
                let at = self.offsets[argument.id as usize - 1];
                return Err(self.issue(at, "iteration variable overwrites accumulator variable"));
            }
        }
        let second = (names.len() == 2).then(|| names.remove(1));
        Ok((names.remove(0), second))
    }

    /// `target.hasValue() ? optional.of(bind(variable, target.value(), value)) : optional.none()`
    fn optional_map(&mut self, at: usize, wrap: bool, target: Expr, mut arguments: Vec<Expr>) -> Expr {
        let value = arguments.pop().unwrap_or(Expr { id: 0, kind: Kind::Error });
        let Some(Expr { kind: Kind::Ident(variable), .. }) = arguments.pop() else {
            let macro_name = if wrap { "optMap()" } else { "optFlatMap()" };
            return self.issue(at, format!("{macro_name} variable name must be a simple identifier"));
        };
        let member = |parser: &mut Self, function: &str, target: Expr| {
            parser.node(
                at,
                Kind::Call { function: function.into(), target: Some(Box::new(target)), arguments: Vec::new() },
            )
        };
        let there = self.copy(&target);
        let there = member(self, "hasValue", there);
        let held = member(self, "value", target);
        let mut value = self.bind(at, variable, held, value);
        if wrap {
            value = self.call(at, "optional.of", vec![value]);
        }
        let none = self.call(at, "optional.none", Vec::new());
        self.call(at, operator::CONDITIONAL, vec![there, value, none])
    }

    /// `target.sortBy(variable, key)` is `bind(input, target, input.@sortByAssociatedKeys(input.map(variable, key)))`.
    fn sort_by(&mut self, at: usize, target: Expr, arguments: Vec<Expr>) -> Result<Expr, NoMacro> {
        if !matches!(
            target.kind,
            Kind::Select { .. } | Kind::List { .. } | Kind::Comprehension(_) | Kind::Ident(_) | Kind::Call { .. }
        ) {
            let at = self.offsets[target.id as usize - 1];
            return Ok(self.issue(
                at,
                "sortBy can only be applied to a list, identifier, comprehension, call or select expression",
            ));
        }
        let input: Arc<str> = "@__sortBy_input__".into();
        let range = self.node(at, Kind::Ident(input.clone()));
        let id = self.id(at);
        let keys = self.expand(id, "map", Some(range), arguments)?;
        let receiver = self.node(at, Kind::Ident(input.clone()));
        let sorted = Kind::Call {
            function: "@sortByAssociatedKeys".into(),
            target: Some(Box::new(receiver)),
            arguments: vec![keys],
        };
        let sorted = self.node(at, sorted);
        Ok(self.bind(at, input, target, sorted))
    }

    /// A value with a name, as cel-go binds it: a loop over nothing whose first value is the one bound.
    fn bind(&mut self, at: usize, name: Arc<str>, value: Expr, result: Expr) -> Expr {
        let comprehension = Comprehension {
            range: self.node(at, Kind::List { elements: Vec::new(), optional: Vec::new() }),
            variable: "#unused".into(),
            second: None,
            accumulator: name.clone(),
            initial: value,
            condition: self.literal(at, Literal::Bool(false)),
            step: self.node(at, Kind::Ident(name)),
            result,
        };
        self.node(at, Kind::Comprehension(Box::new(comprehension)))
    }

    /// The same expression with numbers of its own, unless macros in macros have made too many already.
    fn copy(&mut self, expr: &Expr) -> Expr {
        if self.offsets.len() > MAX_NODES {
            let at = self.offsets.get((expr.id as usize).wrapping_sub(1)).copied().unwrap_or(0);
            return self.issue(at, "the expression's macros expand to too much");
        }
        let mut copy = expr.clone();
        self.renumber(&mut copy);
        copy
    }

    fn renumber(&mut self, expr: &mut Expr) {
        let at = self.offsets.get((expr.id as usize).wrapping_sub(1)).copied().unwrap_or(0);
        expr.id = self.id(at);
        match &mut expr.kind {
            Kind::Literal(_) | Kind::Ident(_) | Kind::Constant(_) | Kind::Error => {}
            Kind::Member { item, .. } => self.renumber(item),
            Kind::Select { operand, .. } => self.renumber(operand),
            Kind::Call { target, arguments, .. } => {
                if let Some(target) = target {
                    self.renumber(target);
                }
                arguments.iter_mut().for_each(|argument| self.renumber(argument));
            }
            Kind::List { elements, .. } => elements.iter_mut().for_each(|element| self.renumber(element)),
            Kind::Map(entries) => {
                for entry in entries {
                    self.renumber(&mut entry.key);
                    self.renumber(&mut entry.value);
                }
            }
            Kind::Struct { fields, .. } => fields.iter_mut().for_each(|field| self.renumber(&mut field.value)),
            Kind::Comprehension(comprehension) => {
                let Comprehension { range, initial, condition, step, result, .. } = &mut **comprehension;
                [range, initial, condition, step, result].into_iter().for_each(|part| self.renumber(part));
            }
        }
    }
}
