//! The types of expressions, and how they are unified.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::decl_type::ObjectType;

/// A type.
#[derive(Clone, Debug)]
pub enum Type {
    /// Checked when it is evaluated.
    Dyn,
    /// What an error has left without a type.
    Error,
    /// `null_type`
    Null,
    /// `bool`
    Bool,
    /// `int`, 64 bits
    Int,
    /// `uint`, 64 bits
    Uint,
    /// `double`
    Double,
    /// `string`
    String,
    /// `bytes`
    Bytes,
    /// `google.protobuf.Duration`
    Duration,
    /// `google.protobuf.Timestamp`
    Timestamp,
    /// `list(element)`
    List(Arc<Type>),
    /// `map(key, value)`
    Map(Arc<Type>, Arc<Type>),
    /// An object with declared fields.
    Object(Arc<ObjectType>),
    /// A type of a library, such as `net.IP` or `optional_type(value)`.
    Opaque(&'static str, Vec<Type>),
    /// The type of a type.
    Meta(Option<Arc<Type>>),
    /// A parameter of a declaration, or a type that is not known yet.
    Param(Arc<str>),
}

/// The library type of optional values.
pub(crate) const OPTIONAL: &str = "optional_type";

impl Type {
    /// `list(element)`
    pub(crate) fn list(element: Type) -> Self {
        Self::List(Arc::new(element))
    }

    /// `map(key, value)`
    pub(crate) fn map(key: Type, value: Type) -> Self {
        Self::Map(Arc::new(key), Arc::new(value))
    }

    /// `optional_type(value)`
    pub(crate) fn optional(value: Type) -> Self {
        Self::Opaque(OPTIONAL, vec![value])
    }

    pub(crate) fn is_dyn(&self) -> bool {
        matches!(self, Self::Dyn)
    }

    /// The type inside an optional one.
    pub(crate) fn unwrap_optional(&self) -> Option<&Type> {
        match self {
            Self::Opaque(OPTIONAL, inside) => inside.first(),
            _ => None,
        }
    }

    /// Whether the two are of one kind, their parameters aside.
    pub(crate) fn is_equivalent(&self, other: &Type) -> bool {
        match (self, other) {
            (Self::Object(a), Self::Object(b)) => a.name() == b.name(),
            (Self::Opaque(a, _), Self::Opaque(b, _)) => a == b,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    /// What the type is called where a value is a type: `type(1)` is `int`.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Null => "null_type".to_owned(),
            Self::Duration => "google.protobuf.Duration".to_owned(),
            Self::Timestamp => "google.protobuf.Timestamp".to_owned(),
            Self::List(_) => "list".to_owned(),
            Self::Map(..) => "map".to_owned(),
            Self::Meta(_) => "type".to_owned(),
            Self::Opaque(name, _) => (*name).to_owned(),
            other => other.to_string(),
        }
    }

    /// Whether the two are the same, parameters included.
    pub(crate) fn same(&self, other: &Type) -> bool {
        match (self, other) {
            (Self::List(a), Self::List(b)) => a.same(b),
            (Self::Map(a, b), Self::Map(c, d)) => a.same(c) && b.same(d),
            (Self::Object(a), Self::Object(b)) => a.name() == b.name(),
            (Self::Opaque(a, x), Self::Opaque(b, y)) => a == b && same_all(x, y),
            (Self::Meta(Some(a)), Self::Meta(Some(b))) => a.same(b),
            (Self::Meta(None), Self::Meta(None)) => true,
            (Self::Param(a), Self::Param(b)) => a == b,
            (Self::Meta(_) | Self::Param(_) | Self::Opaque(..), _) => false,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

fn same_all(a: &[Type], b: &[Type]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
}

/// As cel-go shows types in errors.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dyn => "dyn",
            Self::Error => "!error!",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Duration => "duration",
            Self::Timestamp => "timestamp",
            Self::List(element) => return write!(f, "list({element})"),
            Self::Map(key, value) => return write!(f, "map({key}, {value})"),
            Self::Object(object) => object.name(),
            Self::Opaque(name, parameters) => {
                f.write_str(name)?;
                if parameters.is_empty() {
                    return Ok(());
                }
                return write!(f, "({})", Types(parameters));
            }
            Self::Meta(Some(inner)) => return write!(f, "type({inner})"),
            Self::Meta(None) => "type",
            Self::Param(name) => name,
        })
    }
}

/// Types with commas between.
pub(crate) struct Types<'a>(pub(crate) &'a [Type]);

impl fmt::Display for Types<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, one) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{one}")?;
        }
        Ok(())
    }
}

/// What the parameters stand for, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Substitution(BTreeMap<Arc<str>, Type>);

impl Substitution {
    /// Says what a parameter stands for.
    pub(crate) fn set(&mut self, parameter: Arc<str>, stands_for: Type) {
        self.0.insert(parameter, stands_for);
    }

    /// `of` with every known parameter replaced; the unknown ones by `dyn` if `unknown_to_dyn`.
    pub(crate) fn apply(&self, of: &Type, unknown_to_dyn: bool) -> Type {
        let again = |of: &Type| self.apply(of, unknown_to_dyn);
        match of {
            Type::Param(name) => match self.0.get(name) {
                Some(found) => again(found),
                None if unknown_to_dyn => Type::Dyn,
                None => of.clone(),
            },
            Type::List(element) => Type::list(again(element)),
            Type::Map(key, value) => Type::map(again(key), again(value)),
            Type::Opaque(name, parameters) => Type::Opaque(name, parameters.iter().map(again).collect()),
            Type::Meta(Some(inner)) => Type::Meta(Some(Arc::new(again(inner)))),
            other => other.clone(),
        }
    }

    /// Whether each of `from` may stand where `to` is wanted; what that says of the parameters is kept only if so.
    pub(crate) fn assign_all(&mut self, from: &[Type], to: &[Type]) -> bool {
        let mut trial = self.clone();
        let fits = from.len() == to.len() && from.iter().zip(to).all(|(from, to)| trial.fits(from, to));
        if fits {
            *self = trial;
        }
        fits
    }

    /// [`Substitution::assign_all`] of one.
    pub(crate) fn assign(&mut self, from: &Type, to: &Type) -> bool {
        self.assign_all(std::slice::from_ref(from), std::slice::from_ref(to))
    }

    fn fits(&mut self, from: &Type, to: &Type) -> bool {
        if let Type::Param(to_name) = to {
            match self.substitutes(from, to_name, to) {
                (true, _) => return true,
                (false, true) => return false,
                (false, false) => {}
            }
        }
        if let Type::Param(from_name) = from {
            return self.substitutes(to, from_name, from).0;
        }
        match (from, to) {
            (Type::Dyn | Type::Error, _) | (_, Type::Dyn | Type::Error) => true,
            (Type::Null, other) | (other, Type::Null) => {
                matches!(other, Type::Null | Type::Opaque(..) | Type::Object(_) | Type::Duration | Type::Timestamp)
            }
            (Type::Meta(_), Type::Meta(_)) => true,
            (Type::List(a), Type::List(b)) => self.fits(a, b),
            (Type::Map(a, b), Type::Map(c, d)) => self.fits(a, c) && self.fits(b, d),
            (Type::Opaque(a, x), Type::Opaque(b, y)) => {
                a == b && x.len() == y.len() && x.iter().zip(y).all(|(x, y)| self.fits(x, y))
            }
            _ => from.same(to),
        }
    }

    /// Whether `parameter` may stand for `wanted`, and whether it already stands for something.
    fn substitutes(&mut self, wanted: &Type, name: &Arc<str>, parameter: &Type) -> (bool, bool) {
        if wanted.same(parameter) {
            return (true, true);
        }
        if let Some(known) = self.0.get(name).cloned() {
            if wanted.same(&known) {
                return (true, true);
            }
            if self.fits(wanted, &known) {
                let general = most_general(wanted, &known).clone();
                if self.is_free_of(parameter, &general) {
                    self.0.insert(name.clone(), general);
                }
                return (true, true);
            }
            return (false, true);
        }
        if self.is_free_of(parameter, wanted) {
            self.0.insert(name.clone(), wanted.clone());
            return (true, false);
        }
        (false, false)
    }

    /// Whether `parameter` does not occur in `within`.
    fn is_free_of(&self, parameter: &Type, within: &Type) -> bool {
        if parameter.same(within) {
            return false;
        }
        match within {
            Type::Param(name) => self.0.get(name).is_none_or(|known| self.is_free_of(parameter, known)),
            Type::List(element) => self.is_free_of(parameter, element),
            Type::Map(key, value) => self.is_free_of(parameter, key) && self.is_free_of(parameter, value),
            Type::Opaque(_, parameters) => parameters.iter().all(|inner| self.is_free_of(parameter, inner)),
            Type::Meta(Some(inner)) => self.is_free_of(parameter, inner),
            _ => true,
        }
    }
}

/// The less specific of two types that are known to fit.
pub(crate) fn most_general<'a>(a: &'a Type, b: &'a Type) -> &'a Type {
    if is_as_general(a, b) { a } else { b }
}

fn is_as_general(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Dyn | Type::Param(_), _) => true,
        (_, Type::Dyn | Type::Param(_)) => false,
        (Type::Opaque(x, p), Type::Opaque(y, q)) => {
            x == y && p.len() == q.len() && p.iter().zip(q).all(|(p, q)| is_as_general(p, q))
        }
        (Type::List(a), Type::List(b)) => is_as_general(a, b),
        (Type::Map(a, b), Type::Map(c, d)) => is_as_general(a, c) && is_as_general(b, d),
        (Type::Meta(_), Type::Meta(_)) => true,
        _ => a.same(b),
    }
}
