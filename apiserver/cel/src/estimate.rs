//! The most that an expression may cost, before it is evaluated: cel-go's estimate with Kubernetes' additions. Which
//! rules a CRD may hold depends on these numbers, so they are upstream's to the unit.

mod calls;
mod range;

use std::collections::HashMap;
use std::sync::Arc;

use crate::ast::{Comprehension, Expr, Id, Kind, Literal};
use crate::checker::Checked;
use crate::decl_type::{DeclKind, DeclType};
use crate::types::Type;
use range::Range;

/// The most that `checked` may cost with values of the declaration `root`; as upstream, all variables count as such.
pub(crate) fn most(checked: &Checked, root: Option<&DeclType>) -> u64 {
    let mut estimate = Estimate {
        checked,
        root,
        paths: HashMap::new(),
        sizes: HashMap::new(),
        entries: HashMap::new(),
        scope: Vec::new(),
    };
    estimate.cost(&checked.ast.root).max
}

/// Where a value stands in a variable: names, and `@items`, `@keys`, `@values`, `@indices`.
type Place = Vec<Arc<str>>;

/// The sizes of a container's keys and values.
#[derive(Clone, Copy, Debug)]
struct Entries {
    list: bool,
    keys: Range,
    values: Range,
}

struct Local {
    name: Arc<str>,
    place: Place,
    size: Option<Range>,
    entries: Option<Entries>,
}

struct Estimate<'a> {
    checked: &'a Checked,
    root: Option<&'a DeclType>,
    paths: HashMap<Id, Place>,
    sizes: HashMap<Id, Range>,
    entries: HashMap<Id, Entries>,
    /// The innermost last.
    scope: Vec<Local>,
}

impl Estimate<'_> {
    fn type_of(&self, expr: &Expr) -> &Type {
        self.checked.type_of(expr.id)
    }

    fn local(&self, name: &str) -> Option<&Local> {
        self.scope.iter().rev().find(|local| *local.name == *name)
    }

    fn cost(&mut self, expr: &Expr) -> Range {
        match &expr.kind {
            Kind::Literal(_) | Kind::Constant(_) | Kind::Error => Range::ZERO,
            Kind::Member { item, .. } => self.cost(item),
            Kind::Ident(name) => {
                let place = self.local(name).map_or_else(|| vec![name.clone()], |local| local.place.clone());
                self.paths.insert(expr.id, place);
                Range::fixed(1)
            }
            Kind::Select { operand, field, test } => {
                let cost = self.cost(operand);
                if *test {
                    return cost;
                }
                let counted = matches!(self.type_of(operand), Type::Map(..) | Type::Object(_) | Type::Param(_));
                let mut place = self.place(operand);
                place.push(field.clone());
                self.paths.insert(expr.id, place);
                if counted { cost.add(Range::fixed(1)) } else { cost }
            }
            Kind::Call { function, target, arguments } => self.call(expr, function, target.as_deref(), arguments),
            Kind::List { elements, .. } => {
                let mut cost = Range::ZERO;
                let mut values = if elements.is_empty() { Range::ZERO } else { Range::NOTHING };
                for element in elements {
                    cost = cost.add(self.cost(element));
                    values = values.union(self.size_or_unknown(element));
                }
                self.entries.insert(expr.id, Entries { list: true, keys: Range::fixed(1), values });
                cost.add(Range::fixed(10))
            }
            Kind::Map(entries) => {
                let mut cost = Range::ZERO;
                let [mut keys, mut values] = if entries.is_empty() { [Range::ZERO; 2] } else { [Range::NOTHING; 2] };
                for entry in entries {
                    cost = cost.add(self.cost(&entry.key)).add(self.cost(&entry.value));
                    keys = keys.union(self.size_or_unknown(&entry.key));
                    values = values.union(self.size_or_unknown(&entry.value));
                }
                self.entries.insert(expr.id, Entries { list: false, keys, values });
                cost.add(Range::fixed(30))
            }
            Kind::Struct { fields, .. } => {
                fields.iter().fold(Range::fixed(40), |cost, field| cost.add(self.cost(&field.value)))
            }
            Kind::Comprehension(comprehension) => self.comprehension(expr, comprehension),
        }
    }

    fn comprehension(&mut self, expr: &Expr, of: &Comprehension) -> Range {
        let binds = matches!(&of.range.kind, Kind::List { elements, .. } if elements.is_empty())
            && matches!(of.condition.kind, Kind::Literal(Literal::Bool(false)));
        let mut cost = self.cost(&of.range).add(self.cost(&of.initial));
        let accumulator = Local {
            name: of.accumulator.clone(),
            place: self.place(&of.initial),
            size: self.size(&of.initial),
            entries: self.entries_of(&of.initial),
        };
        let outer = self.scope.len();
        self.scope.push(accumulator);
        if binds {
            cost = cost.add(self.cost(&of.result));
            self.scope.truncate(outer);
            if let Some(size) = self.size(&of.result) {
                self.sizes.insert(expr.id, size);
            }
            if let Some(entries) = self.entries_of(&of.result) {
                self.entries.insert(expr.id, entries);
            }
            return cost;
        }
        let entries = self.entries_of(&of.range);
        let list = entries.map_or_else(|| matches!(self.type_of(&of.range), Type::List(_)), |entries| entries.list);
        let below = |estimate: &Self, part: &str| {
            let mut place = estimate.place(&of.range);
            place.push(part.into());
            place
        };
        let inner = self.scope.len();
        let first = match (&of.second, list) {
            (Some(_), true) => ("@indices", entries.map(|entries| entries.keys)),
            (None, true) => ("@items", entries.map(|entries| entries.values)),
            (_, false) => ("@keys", entries.map(|entries| entries.keys)),
        };
        let local = Local { name: of.variable.clone(), place: below(self, first.0), size: first.1, entries: None };
        self.scope.push(local);
        if let Some(second) = &of.second {
            let place = below(self, if list { "@items" } else { "@values" });
            let size = entries.map(|entries| entries.values);
            self.scope.push(Local { name: second.clone(), place, size, entries: None });
        }
        let round = self.cost(&of.condition).add(self.cost(&of.step));
        self.scope.truncate(inner);
        cost = cost.add(self.cost(&of.result));
        self.scope.truncate(outer);
        let rounds = self.size_or_unknown(&of.range);
        cost = cost.add(rounds.times(round));
        match &of.initial.kind {
            Kind::Literal(_) => {
                if let Some(size) = self.size(&of.initial) {
                    self.sizes.insert(expr.id, size);
                }
            }
            Kind::List { .. } | Kind::Map(_) => {
                self.sizes.insert(expr.id, rounds);
                if let Some(entries) = self.entries_of(&of.step) {
                    self.entries.insert(expr.id, entries);
                }
            }
            _ => {}
        }
        cost
    }

    fn call(&mut self, expr: &Expr, function: &str, target: Option<&Expr>, arguments: &[Expr]) -> Range {
        if function == "dyn"
            && let [argument] = arguments
        {
            let cost = self.cost(argument).add(Range::fixed(1));
            if let Some(size) = self.size(argument) {
                self.sizes.insert(expr.id, size);
            }
            if let Some(entries) = self.entries_of(argument) {
                self.entries.insert(expr.id, entries);
            }
            return cost;
        }
        let costs: Vec<Range> = arguments.iter().map(|argument| self.cost(argument)).collect();
        let overloads = self.checked.overloads(expr.id).to_vec();
        if overloads.is_empty() {
            return Range::ZERO;
        }
        let before = target.map_or(Range::ZERO, |target| self.cost(target));
        let mut cost = Range::NOTHING;
        let mut size: Option<Range> = None;
        for overload in overloads {
            let call = calls::Call { function, overload, target, arguments, costs: &costs };
            let estimate = self.of_call(expr, &call);
            cost = cost.union(estimate.cost);
            if let Some(found) = estimate.size {
                size = Some(size.map_or(found, |size| size.union(found)));
            }
            let part = match overload {
                "index_list" => Some("@items"),
                "index_map" => Some("@values"),
                _ => None,
            };
            if let (Some(part), Some(of)) = (part, arguments.first()) {
                size = self.entries_of(of).map(|entries| entries.values);
                let mut place = self.place(of);
                place.push(part.into());
                self.paths.insert(expr.id, place);
            }
            if size.is_none() {
                size = self.size(expr);
            }
        }
        if let Some(size) = size {
            self.sizes.insert(expr.id, size);
        }
        before.add(cost)
    }

    fn place(&self, expr: &Expr) -> Place {
        if let Kind::Ident(name) = &expr.kind
            && let Some(local) = self.local(name)
        {
            return local.place.clone();
        }
        self.paths.get(&expr.id).cloned().unwrap_or_default()
    }

    fn size_or_unknown(&mut self, expr: &Expr) -> Range {
        self.size(expr).unwrap_or(Range::UNKNOWN)
    }

    fn size(&mut self, expr: &Expr) -> Option<Range> {
        if let Some(size) = self.sizes.get(&expr.id) {
            return Some(*size);
        }
        let own = match &expr.kind {
            Kind::Literal(Literal::String(text)) => Some(text.chars().count()),
            Kind::Literal(Literal::Bytes(bytes)) => Some(bytes.len()),
            Kind::Literal(_) => Some(1),
            Kind::List { elements, .. } => Some(elements.len()),
            Kind::Map(entries) => Some(entries.len()),
            _ => None,
        };
        if let Some(own) = own {
            return Some(Range::fixed(own as u64));
        }
        let place = self.place(expr);
        // As upstream, the elements of what is made in the expression are sized as the whole value is.
        if let Some(size) = self.declared(&place) {
            self.sizes.insert(expr.id, size);
            return Some(size);
        }
        if is_scalar(self.type_of(expr)) {
            return Some(Range::fixed(1));
        }
        match &expr.kind {
            Kind::Ident(name) => self.local(name).and_then(|local| local.size),
            _ => None,
        }
    }

    /// The size that the schema bounds a place to.
    fn declared(&self, place: &[Arc<str>]) -> Option<Range> {
        let mut decl = self.root?;
        let (_, rest) = place.split_first()?;
        for part in rest {
            decl = match (&**part, &decl.kind) {
                ("@items" | "@values", DeclKind::List(inner, _) | DeclKind::Map(inner)) => inner,
                // Keys have no length of their own in a schema.
                ("@keys", DeclKind::Map(_)) => return Some(Range { min: 0, max: 0 }),
                (name, DeclKind::Object(object)) => &object.field(name)?.decl,
                _ => return None,
            };
        }
        Some(Range { min: 0, max: decl.max_elements })
    }

    fn entries_of(&self, expr: &Expr) -> Option<Entries> {
        if let Some(entries) = self.entries.get(&expr.id) {
            return Some(*entries);
        }
        match &expr.kind {
            Kind::Ident(name) => self.local(name).and_then(|local| local.entries),
            _ => None,
        }
    }
}

fn is_scalar(of: &Type) -> bool {
    match of {
        Type::Bool | Type::Double | Type::Duration | Type::Int | Type::Timestamp | Type::Uint => true,
        other => other.unwrap_optional().is_some_and(is_scalar),
    }
}
