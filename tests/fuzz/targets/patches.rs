//! The three patches.

use apimachinery::patch::{json as json_patch_text, merge, strategic};

use crate::{kind, parts, value};

/// JSON patches: a document and a patch. Checking and applying agree, and a patch that fails changes nothing.
pub fn json_patch(data: &[u8]) {
    let Some([document, patch]) = parts(data) else { return };
    let (Some(document), Some(patch)) = (value(document), value(patch)) else { return };
    let _ = json_patch_text::check(&patch);
    let mut patched = document.clone();
    let applied = json_patch_text::apply_value(&mut patched, &patch);
    assert_eq!(json_patch_text::apply(&document, patch.to_string().as_bytes()).is_ok(), applied.is_ok());
}

/// Merge patches: applied again, a patch changes nothing more; nulls of a patch are nowhere in what it made.
pub fn merge_patch(data: &[u8]) {
    let Some([document, patch]) = parts(data) else { return };
    let (Some(mut document), Some(patch)) = (value(document), value(patch)) else { return };
    merge::apply(&mut document, &patch);
    let once = document.clone();
    merge::apply(&mut document, &patch);
    assert_eq!(document, once, "{patch}");
}

/// Strategic merge patches of a Deployment. What is patched or refused is patched or refused again.
pub fn strategic_patch(data: &[u8]) {
    let Some([document, patch]) = parts(data) else { return };
    let (Some(document), Some(patch)) = (value(document), value(patch)) else { return };
    let kind = kind("Deployment");
    let once = strategic::apply(document.clone(), &patch, &kind.strategic());
    let again = strategic::apply(document, &patch, &kind.strategic());
    assert_eq!(once.is_ok(), again.is_ok());
    if let (Ok(once), Ok(again)) = (once, again) {
        assert_eq!(once, again);
    }
}
