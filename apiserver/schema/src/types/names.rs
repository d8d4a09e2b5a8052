//! The JSON names of an object, and their places in the order in which Go declares its fields.

use super::table::Field;
use crate::starts::start_of;

/// The names of an object, those of inline fields included, sorted.
#[derive(Debug)]
pub(crate) struct Names {
    list: Box<[Name]>,
    /// How each begins.
    starts: Box<[u64]>,
}

/// A name of an object.
#[derive(Debug)]
pub(crate) struct Name {
    name: &'static str,
    /// Which in the order of declaration it is; less than [`Names::MOST`].
    pub place: u8,
    /// `None` for apiVersion and kind.
    pub field: Option<&'static Field>,
}

impl Names {
    /// The most names that an object has.
    pub const MOST: usize = 64;

    /// Names in the order of declaration. More than [`Self::MOST`] are not in the table: a test reads all of it.
    pub fn declared(names: Vec<(&'static str, Option<&'static Field>)>) -> Self {
        assert!(names.len() <= Self::MOST, "{} and more have too many fields", names[0].0);
        let mut list: Vec<Name> = (0..).zip(names).map(|(place, (name, field))| Name { name, place, field }).collect();
        list.sort_unstable_by_key(|name| name.name);
        let starts = list.iter().map(|name| start_of(name.name)).collect();
        Self { list: list.into(), starts }
    }

    /// A search for names that are asked for in ascending order: all of them together are one walk.
    pub fn ascending(&self) -> Ascending<'_> {
        Ascending { names: self, at: 0 }
    }
}

/// Finds names asked for in ascending order.
pub(crate) struct Ascending<'a> {
    names: &'a Names,
    at: usize,
}

impl<'a> Ascending<'a> {
    /// That of a key.
    pub fn find(&mut self, key: &str) -> Option<&'a Name> {
        let start = start_of(key);
        self.at += self.names.starts[self.at..].iter().take_while(|other| **other < start).count();
        let alike = self.names.starts[self.at..].iter().take_while(|other| **other == start);
        alike.zip(&self.names.list[self.at..]).map(|(_, name)| name).find(|name| name.name == key)
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{Shape, table};

    #[test]
    fn every_name_of_every_type_is_found_among_others_and_has_a_place_of_its_own() {
        for message in table().messages.iter().filter(|message| message.shape == Shape::Object) {
            let names = message.names();
            let mut keys: Vec<String> = names.list.iter().map(|name| name.name.to_owned()).collect();
            let unknown = keys.iter().flat_map(|key| [format!("{key}x"), key[..key.len() - 1].to_owned()]);
            let unknown: Vec<String> = unknown.filter(|key| !keys.contains(key)).collect();
            keys.extend(unknown);
            keys.sort();
            keys.dedup();
            let (mut ascending, mut places) = (names.ascending(), 0_u64);
            for key in &keys {
                let known = names.list.iter().find(|name| name.name == key);
                let found = ascending.find(key);
                assert_eq!(found.map(|name| name.name), known.map(|name| name.name), "{} {key}", message.name);
                places |= found.map_or(0, |name| 1 << name.place);
            }
            assert_eq!(places.count_ones() as usize, names.list.len(), "{}", message.name);
        }
    }
}
