//! Lists, one at a time: all, a page, those with a label.

use super::scene::Scene;
use crate::kinds::Kind;

/// How many a page holds.
const PAGE: usize = 500;

/// Each list so many times.
pub fn lists(scene: &mut Scene<'_>, kind: &Kind, times: usize) {
    for (work, query) in [
        ("list of all", String::new()),
        ("list by limit=500", format!("?limit={PAGE}")),
        ("list by label, a tenth", Kind::a_tenth().to_owned()),
    ] {
        let path = format!("{}{query}", kind.all);
        let mut bytes = 0;
        scene.one_at_a_time(work, times, |clients| bytes = clients.one().count(&path));
        scene.figures.measure(work, "size", bytes as f64 / 1e6, "MB");
    }
}
