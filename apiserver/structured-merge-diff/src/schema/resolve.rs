//! From references to the atoms they stand for.

use std::sync::Arc;

use foldhash::HashMap;

use super::{Atom, ElementRelationship, Entry, List, Map, Schema, Target, TypeDef, TypeRef, Types};

impl Schema {
    /// A schema of `types`. References among them are resolved to positions here, once.
    ///
    /// A reference to a name that is not in the schema stays, and resolves to nothing; when a name appears twice
    /// the last one counts.
    pub fn new(types: impl IntoIterator<Item = TypeDef>) -> Self {
        let mut defs: Vec<TypeDef> = types.into_iter().collect();
        let positions: HashMap<Arc<str>, usize> =
            defs.iter().enumerate().map(|(i, def)| (def.name.clone(), i)).collect();
        for def in &mut defs {
            link_atom(&mut def.atom, &positions);
        }
        let entries = defs.into_iter().map(|def| Entry { def, overridden: Default::default() }).collect();
        Self(Arc::new(Types { entries, positions }))
    }

    /// The atom `reference` stands for, or nothing when there is no such type.
    pub fn resolve<'a>(&'a self, reference: &'a TypeRef) -> Option<&'a Atom> {
        let (name, position, relationship) = match &reference.target {
            Target::Inlined(atom) => return Some(atom),
            Target::Named { name, position, relationship } => (name, position, relationship),
        };
        let entries = &self.0.entries;
        let entry = match position.and_then(|p| entries.get(p)).filter(|e| Arc::ptr_eq(&e.def.name, name)) {
            Some(entry) => entry,
            None => &entries[*self.0.positions.get(name)?],
        };
        match relationship {
            None => Some(&entry.def.atom),
            Some(r) => entry.overridden[*r as usize].get_or_init(|| overridden(&entry.def.atom, *r)).as_ref(),
        }
    }
}

/// The atom with its element relationship replaced; nothing when the atom is neither a map nor a list.
///
/// Of an atom that is both, the map is the one overridden (upstream's order).
pub(super) fn overridden(atom: &Atom, relationship: ElementRelationship) -> Option<Atom> {
    if let Some(map) = &atom.map {
        let map = Map::clone(map).with_relationship(relationship);
        return Some(Atom { map: Some(Arc::new(map)), ..atom.clone() });
    }
    let list = List { element_relationship: relationship, ..List::clone(atom.list.as_ref()?) };
    Some(Atom { list: Some(Arc::new(list)), ..atom.clone() })
}

fn link_atom(atom: &mut Atom, positions: &HashMap<Arc<str>, usize>) {
    if let Some(list) = &mut atom.list {
        link(&mut Arc::make_mut(list).element_type, positions);
    }
    if let Some(map) = &mut atom.map {
        let map = Arc::make_mut(map);
        for field in &mut map.fields {
            link(&mut field.type_ref, positions);
        }
        if let Some(element_type) = &mut map.element_type {
            link(element_type, positions);
        }
    }
}

fn link(reference: &mut TypeRef, positions: &HashMap<Arc<str>, usize>) {
    match &mut reference.target {
        Target::Inlined(atom) => link_atom(atom, positions),
        Target::Named { name, position, .. } => {
            if let Some((key, &found)) = positions.get_key_value(name) {
                // Sharing the name makes the check in `resolve` a pointer comparison.
                *name = key.clone();
                *position = Some(found);
            } else {
                *position = None;
            }
        }
    }
}
