//! The hot paths: what nearly every request or event goes through.

mod dispatch;
mod objects;

/// How often a path is gone while instructions are counted.
pub const TIMES: u64 = 10;

/// Prepares a path; what it gives back is gone once to warm up, then [`TIMES`] times.
type Prepare = fn() -> Box<dyn FnMut()>;

const PATHS: &[(&str, Prepare)] = &[
    ("decode, JSON", objects::decode_json),
    ("decode, protobuf", objects::decode_protobuf),
    ("decode, custom resource", objects::decode_custom),
    ("defaults, Deployment", objects::defaults),
    ("validate, custom resource", objects::validate_custom),
    ("encode, JSON", objects::encode_json),
    ("encode, protobuf", objects::encode_protobuf),
    ("stored to served", objects::stored_to_served),
    ("merge patch", objects::merge_patch),
    ("match 100 labels", objects::match_labels),
    ("apply, unchanged", objects::apply_unchanged),
    ("apply, one field", objects::apply_one_field),
    ("dispatch to 100 watchers", dispatch::to_watchers),
    ("dispatch past 100 watchers", dispatch::past_watchers),
    ("list of 1,000", dispatch::list_all),
    ("list by label of 1,000", dispatch::list_by_label),
];

/// The names of all.
pub fn names() -> impl Iterator<Item = &'static str> {
    PATHS.iter().map(|(name, _)| *name)
}

/// Goes a path.
pub fn go(name: &str) -> Result<(), String> {
    let (_, prepare) = PATHS.iter().find(|(known, _)| *known == name).ok_or_else(|| format!("{name} is no path"))?;
    let mut path = prepare();
    path();
    measured(&mut *path);
    Ok(())
}

/// The instructions in here are counted: valgrind knows it by its name.
#[inline(never)]
fn measured(path: &mut dyn FnMut()) {
    for _ in 0..TIMES {
        path();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_path_can_be_gone() {
        for name in super::names() {
            super::go(name).unwrap();
        }
    }
}
