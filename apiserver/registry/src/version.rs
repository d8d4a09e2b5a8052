//! Upstream's order of version names: GA before beta before alpha, newer before older, others last and by name.

/// A key that is greater the more a version is preferred.
pub fn priority(version: &str) -> (u8, u64, u64, std::cmp::Reverse<String>) {
    match parse(version) {
        Some((stage, major, minor)) => (stage, major, minor, std::cmp::Reverse(String::new())),
        None => (0, 0, 0, std::cmp::Reverse(version.to_owned())),
    }
}

fn parse(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (major, stage) = rest.split_at(digits);
    let major = number(major)?;
    if stage.is_empty() {
        return Some((3, major, 0));
    }
    let (rank, minor) = match (stage.strip_prefix("beta"), stage.strip_prefix("alpha")) {
        (Some(minor), _) => (2, minor),
        (_, Some(minor)) => (1, minor),
        _ => return None,
    };
    Some((rank, major, number(minor)?))
}

fn number(text: &str) -> Option<u64> {
    if text.is_empty() || text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_ordered_as_upstream_orders_them() {
        let mut versions =
            ["foo10", "v1", "v11alpha2", "v10beta3", "v3beta1", "v12alpha1", "v2", "foo1", "v10", "v11beta2"];
        versions.sort_by_key(|version| std::cmp::Reverse(super::priority(version)));
        assert_eq!(
            versions,
            ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"]
        );
    }
}
