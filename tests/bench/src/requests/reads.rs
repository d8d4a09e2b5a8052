//! Lists, one at a time: all, a page, those with a label.

use super::Work;
use super::scene::Scene;
use crate::kinds::Kind;

/// How many a page holds.
const PAGE: usize = 500;

pub fn lists(scene: &mut Scene<'_>, kind: &Kind) {
    if !scene.options.wants(Work::List) {
        return;
    }
    for (work, query) in [
        ("list of all", String::new()),
        ("list by limit=500", format!("?limit={PAGE}")),
        ("list by label, a tenth", Kind::a_tenth().to_owned()),
    ] {
        let path = format!("{}{query}", kind.all);
        let mut bytes = 0;
        scene.one_at_a_time(work, scene.options.lists, |clients| bytes = clients.one().count(&path));
        scene.figures.measure(work, "size", bytes as f64 / 1e6, "MB");
    }
}
