//! The types of a tree: cel-go's checker, in its words.

use std::sync::Arc;

use crate::ast::{Ast, Comprehension, Expr, Id, Kind, Literal, operator};
use crate::declarations::{self, Overload};
use crate::source::Issue;
use crate::types::{Substitution, Type, Types, most_general};

/// What is known of a checked tree's nodes.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) ast: Ast,
    /// By number less one.
    types: Vec<Option<Type>>,
    /// By number less one: the overloads that a call may be.
    overloads: Vec<Vec<&'static str>>,
}

impl Checked {
    /// The type of a node.
    pub(crate) fn type_of(&self, id: Id) -> &Type {
        self.types.get((id as usize).wrapping_sub(1)).and_then(Option::as_ref).unwrap_or(&Type::Dyn)
    }

    /// The overloads that a call may be.
    pub(crate) fn overloads(&self, id: Id) -> &[&'static str] {
        self.overloads.get((id as usize).wrapping_sub(1)).map_or(&[], Vec::as_slice)
    }
}

/// A variable that an expression may use.
pub(crate) type Variable = (Arc<str>, Type);

/// Checks `ast`, whose names are `variables`.
pub(crate) fn check(mut ast: Ast, variables: Vec<Variable>) -> Result<Checked, Vec<Issue>> {
    let nodes = ast.offsets.len();
    let mut root = std::mem::replace(&mut ast.root, Expr { id: 0, kind: Kind::Error });
    let mut checker = Checker {
        ast: &ast,
        scope: variables,
        types: vec![None; nodes],
        overloads: vec![Vec::new(); nodes],
        known: Substitution::default(),
        unknowns: 0,
        issues: Vec::new(),
    };
    checker.check(&mut root);
    let Checker { mut types, overloads, known, issues, .. } = checker;
    if !issues.is_empty() {
        return Err(issues);
    }
    for of in types.iter_mut().flatten() {
        *of = known.apply(of, true);
    }
    ast.root = root;
    Ok(Checked { ast, types, overloads })
}

struct Checker<'a> {
    ast: &'a Ast,
    /// The innermost last.
    scope: Vec<Variable>,
    types: Vec<Option<Type>>,
    overloads: Vec<Vec<&'static str>>,
    known: Substitution,
    unknowns: usize,
    issues: Vec<Issue>,
}

impl Checker<'_> {
    fn issue(&mut self, id: Id, message: String) {
        self.issues.push(Issue { offset: self.ast.offset(id), message });
    }

    fn set(&mut self, id: Id, of: Type) {
        if let Some(slot) = self.types.get_mut((id as usize).wrapping_sub(1)) {
            *slot = Some(of);
        }
    }

    fn get(&self, expr: &Expr) -> Type {
        self.types.get((expr.id as usize).wrapping_sub(1)).cloned().flatten().unwrap_or(Type::Error)
    }

    fn unknown(&mut self) -> Type {
        self.unknowns += 1;
        Type::Param(format!("_var{}", self.unknowns - 1).into())
    }

    fn mismatch(&mut self, at: Id, expected: &Type, found: &Type) {
        self.issue(at, format!("expected type '{expected}' but found '{found}'"));
    }

    fn undeclared(&mut self, at: Id, name: &str) {
        self.issue(at, format!("undeclared reference to '{name}' (in container '')"));
        self.set(at, Type::Error);
    }

    fn check(&mut self, expr: &mut Expr) {
        let id = expr.id;
        match &mut expr.kind {
            Kind::Literal(literal) => {
                let of = match literal {
                    Literal::Null => Type::Null,
                    Literal::Bool(_) => Type::Bool,
                    Literal::Int(_) => Type::Int,
                    Literal::Uint(_) => Type::Uint,
                    Literal::Double(_) => Type::Double,
                    Literal::String(_) => Type::String,
                    Literal::Bytes(_) => Type::Bytes,
                };
                self.set(id, of);
            }
            Kind::Ident(name) => match self.named(name) {
                Some(of) => self.set(id, of),
                None => {
                    let name = name.clone();
                    self.undeclared(id, &name);
                }
            },
            Kind::Select { .. } => self.select(expr),
            Kind::Call { .. } => self.call(expr),
            Kind::List { elements, optional } => {
                let mut joined = None;
                for (at, element) in elements.iter_mut().enumerate() {
                    self.check(element);
                    let of = self.given(element, optional.contains(&at));
                    joined = Some(self.join(joined, of));
                }
                let element = joined.unwrap_or_else(|| self.unknown());
                self.set(id, Type::list(element));
            }
            Kind::Map(entries) => {
                let (mut keys, mut values) = (None, None);
                for entry in entries {
                    self.check(&mut entry.key);
                    let key = self.get(&entry.key);
                    keys = Some(self.join(keys, key));
                    self.check(&mut entry.value);
                    let value = self.given(&entry.value, entry.optional);
                    values = Some(self.join(values, value));
                }
                let key = keys.unwrap_or_else(|| self.unknown());
                let value = values.unwrap_or_else(|| self.unknown());
                self.set(id, Type::map(key, value));
            }
            Kind::Struct { name, fields } => {
                // There are no messages to make in Kubernetes' expressions.
                let name = name.clone();
                fields.iter_mut().for_each(|field| self.check(&mut field.value));
                self.undeclared(id, &name);
            }
            Kind::Comprehension(comprehension) => self.comprehension(id, comprehension),
            Kind::Constant(_) | Kind::Member { .. } | Kind::Error => self.set(id, Type::Error),
        }
    }

    /// The type of a variable or of a type's name.
    fn named(&self, name: &str) -> Option<Type> {
        let name = name.strip_prefix('.').unwrap_or(name);
        if let Some((_, of)) = self.scope.iter().rev().find(|(known, _)| **known == *name) {
            return Some(of.clone());
        }
        declarations::type_named(name).map(|of| Type::Meta(Some(Arc::new(of))))
    }

    /// The type of an element or entry: inside its optional type if it stands behind a question mark.
    fn given(&mut self, value: &Expr, optional: bool) -> Type {
        let of = self.get(value);
        if !optional {
            return of;
        }
        match of.unwrap_optional() {
            Some(inside) => inside.clone(),
            None => {
                if !of.is_dyn() {
                    self.mismatch(value.id, &Type::optional(of.clone()), &of);
                }
                of
            }
        }
    }

    fn join(&mut self, joined: Option<Type>, next: Type) -> Type {
        let Some(joined) = joined else { return next };
        if self.known.assign(&joined, &next) {
            return most_general(&joined, &next).clone();
        }
        // Whether literals may be of several types is looked at when all types are known.
        Type::Dyn
    }

    fn select(&mut self, expr: &mut Expr) {
        let id = expr.id;
        // A qualified name may be a variable's or a type's.
        if let Some(name) = qualified(expr)
            && let Some(of) = self.named(&name)
        {
            self.set(id, of);
            expr.kind = Kind::Ident(name.into());
            return;
        }
        let Kind::Select { operand, field, test } = &mut expr.kind else { return };
        let of = self.field(id, operand, field, false);
        let of = if *test { Type::Bool } else { of };
        let of = self.known.apply(&of, false);
        self.set(id, of);
    }

    fn field(&mut self, id: Id, operand: &mut Expr, field: &str, optional: bool) -> Type {
        self.check(operand);
        let operand = self.known.apply(&self.get(operand), false);
        let (target, was_optional) = match operand.unwrap_optional() {
            Some(inside) => (inside.clone(), true),
            None => (operand, false),
        };
        let of = match &target {
            Type::Map(_, value) => (**value).clone(),
            Type::Object(object) => match object.field(field) {
                Some(found) => found.decl.to_type(),
                None => {
                    self.issue(id, format!("undefined field '{field}'"));
                    Type::Error
                }
            },
            Type::Param(_) => {
                self.known.assign(&Type::Dyn, &target);
                Type::Dyn
            }
            Type::Dyn | Type::Error => Type::Dyn,
            other => {
                self.issue(id, format!("type '{other}' does not support field selection"));
                Type::Dyn
            }
        };
        if was_optional || optional { Type::optional(of) } else { of }
    }

    fn call(&mut self, expr: &mut Expr) {
        let id = expr.id;
        let Kind::Call { function, target, arguments } = &mut expr.kind else { return };
        if **function == *operator::OPTIONAL_SELECT
            && let [operand, Expr { kind: Kind::Literal(Literal::String(field)), .. }] = arguments.as_mut_slice()
        {
            let field = field.clone();
            let of = self.field(id, operand, &field, true);
            let of = self.known.apply(&of, false);
            self.set(id, of);
            self.refer(id, vec!["select_optional_field"]);
            return;
        }
        arguments.iter_mut().for_each(|argument| self.check(argument));
        let Some(receiver) = target else {
            let bare = function.strip_prefix('.').unwrap_or(function);
            match declarations::overloads(bare) {
                Some(overloads) => self.resolve(expr, overloads),
                None => {
                    let name = function.clone();
                    self.undeclared(id, &name);
                }
            }
            return;
        };
        // `a.b.c()` may be the function of that name.
        if let Some(prefix) = qualified(receiver) {
            let full = format!("{prefix}.{function}");
            if let Some(overloads) = declarations::overloads(full.strip_prefix('.').unwrap_or(&full)) {
                *function = full.into();
                *target = None;
                return self.resolve(expr, overloads);
            }
        }
        self.check(receiver);
        match declarations::overloads(function) {
            Some(overloads) => self.resolve(expr, overloads),
            None => {
                let name = function.clone();
                self.undeclared(id, &name);
            }
        }
    }

    fn refer(&mut self, id: Id, overloads: Vec<&'static str>) {
        if let Some(slot) = self.overloads.get_mut((id as usize).wrapping_sub(1)) {
            *slot = overloads;
        }
    }

    fn resolve(&mut self, expr: &Expr, overloads: &'static [Overload]) {
        let Kind::Call { function, target, arguments } = &expr.kind else { return };
        let given: Vec<Type> =
            target.iter().map(|target| self.get(target)).chain(arguments.iter().map(|a| self.get(a))).collect();
        if matches!(&**function, operator::AND | operator::OR) {
            return self.logic(expr.id, arguments, &given, overloads);
        }
        let (mut result, mut found): (Option<Type>, Vec<&'static str>) = (None, Vec::new());
        for overload in overloads.iter().filter(|overload| overload.member == target.is_some()) {
            let mut fresh = Substitution::default();
            for parameter in &overload.parameters {
                let unknown = self.unknown();
                fresh.set(parameter.clone(), unknown);
            }
            let wanted: Vec<Type> = overload.arguments.iter().map(|of| fresh.apply(of, false)).collect();
            if !self.known.assign_all(&given, &wanted) {
                continue;
            }
            found.push(overload.id);
            let of = self.known.apply(&fresh.apply(&overload.result, false), false);
            result = Some(match result {
                None => of,
                Some(before) if before.is_dyn() || of.same(&before) => before,
                Some(_) => Type::Dyn,
            });
        }
        match result {
            Some(of) => {
                self.set(expr.id, of);
                self.refer(expr.id, found);
            }
            None => {
                let given: Vec<Type> = given.iter().map(|of| self.known.apply(of, true)).collect();
                let signature = match (target, given.split_first()) {
                    (Some(_), Some((receiver, rest))) => format!("{receiver}.({})", Types(rest)),
                    _ => format!("({})", Types(&given)),
                };
                self.issue(expr.id, format!("found no matching overload for '{function}' applied to '{signature}'"));
                self.set(expr.id, Type::Error);
            }
        }
    }

    fn logic(&mut self, id: Id, arguments: &[Expr], given: &[Type], overloads: &'static [Overload]) {
        let mut fits = true;
        for (argument, of) in arguments.iter().zip(given) {
            if !self.known.assign(of, &Type::Bool) {
                self.mismatch(argument.id, &Type::Bool, of);
                fits = false;
            }
        }
        self.set(id, if fits { Type::Bool } else { Type::Error });
        self.refer(id, overloads.iter().map(|overload| overload.id).collect());
    }

    fn comprehension(&mut self, id: Id, comprehension: &mut Comprehension) {
        let Comprehension { range, variable, second, accumulator, initial, condition, step, result } = comprehension;
        self.check(range);
        self.check(initial);
        let over = self.known.apply(&self.get(range), false);
        let folded = self.get(initial);
        let outer = self.scope.len();
        self.scope.push((accumulator.clone(), folded.clone()));
        let two = second.is_some();
        let (first_type, second_type) = match &over {
            Type::List(element) if two => (Type::Int, (**element).clone()),
            Type::List(element) => ((**element).clone(), Type::Dyn),
            Type::Map(key, value) => ((**key).clone(), (**value).clone()),
            Type::Dyn | Type::Error | Type::Param(_) => {
                self.known.assign(&Type::Dyn, &over);
                (Type::Dyn, Type::Dyn)
            }
            other => {
                let message = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                self.issue(range.id, message);
                (Type::Error, Type::Error)
            }
        };
        let inner = self.scope.len();
        self.scope.push((variable.clone(), first_type));
        if let Some(second) = second {
            self.scope.push((second.clone(), second_type));
        }
        self.check(condition);
        self.assert(condition, &Type::Bool);
        self.check(step);
        self.assert(step, &folded);
        self.scope.truncate(inner);
        self.check(result);
        self.scope.truncate(outer);
        let of = self.known.apply(&self.get(result), false);
        self.set(id, of);
    }

    fn assert(&mut self, expr: &Expr, wanted: &Type) {
        let of = self.get(expr);
        if !self.known.assign(wanted, &of) {
            self.mismatch(expr.id, wanted, &of);
        }
    }
}

/// `a.b.c` as a name.
fn qualified(expr: &Expr) -> Option<String> {
    match &expr.kind {
        Kind::Ident(name) => Some(name.to_string()),
        Kind::Select { operand, field, test: false } => Some(format!("{}.{field}", qualified(operand)?)),
        _ => None,
    }
}
