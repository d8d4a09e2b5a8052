use super::*;

fn quantity(text: &str) -> Quantity {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn quantities_are_displayed_in_upstreams_canonical_form() {
    for (text, want) in [
        ("0", "0"),
        ("000", "0"),
        ("-0", "0"),
        (".", "0"),
        ("-", "0"),
        ("0Ki", "0"),
        ("0.0", "0"),
        ("100m", "100m"),
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1.5", "1500m"),
        ("1.500", "1.500"),
        ("1.000", "1"),
        ("+5", "+5"),
        ("007", "007"),
        ("1000", "1k"),
        ("1234", "1234"),
        ("1100", "1100"),
        ("10000", "10k"),
        ("1e3", "1e3"),
        ("1e4", "10e3"),
        ("1E3", "1E3"),
        ("12E", "12E"),
        ("1e-1", "100e-3"),
        ("1e-10", "1e-9"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("1500n", "1500n"),
        ("1000n", "1u"),
        ("-1.5", "-1500m"),
        ("-0.1n", "-1n"),
        ("1Ki", "1Ki"),
        ("1024Ki", "1Mi"),
        ("1000Ki", "1000Ki"),
        ("1024", "1024"),
        ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"),
        ("0.0001Ki", "102400u"),
        ("1.0001Ki", "1024102400u"),
        ("-1Ki", "-1Ki"),
        ("8Ei", "9223372036854775807"),
        ("9Ei", "9223372036854775807"),
        ("-9Ei", "-9223372036854775807"),
        ("7Ei", "7Ei"),
        ("1.Ki", "1.Ki"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1e100", "10e99"),
        ("100Mi", "100Mi"),
        ("128974848", "128974848"),
        ("129e6", "129e6"),
        ("129M", "129M"),
        ("123Mi", "123Mi"),
        ("1P", "1P"),
    ] {
        assert_eq!(quantity(text).to_string(), want, "{text:?}");
    }
}

#[test]
fn what_is_no_quantity_is_refused_in_upstreams_words() {
    for (text, want) in [
        ("", ParseError::Format),
        ("lots", ParseError::Format),
        ("1.2.3", ParseError::Format),
        ("1 Ki", ParseError::Format),
        ("--1", ParseError::Suffix),
        ("1é", ParseError::Format),
        ("1mm", ParseError::Suffix),
        ("1ki", ParseError::Suffix),
        ("1e", ParseError::Suffix),
        ("1e+", ParseError::Suffix),
        ("1ei", ParseError::Suffix),
        ("Mi", ParseError::Suffix),
        ("1K", ParseError::Suffix),
    ] {
        let got = text.parse::<Quantity>();
        // `Mi` has no digits, which upstream reads as 0.
        if text == "Mi" {
            assert_eq!(got.map(|q| q.to_string()), Ok("0".to_owned()));
            continue;
        }
        assert_eq!(got.map(|q| q.to_string()), Err(want), "{text:?}");
    }
    assert_eq!(
        ParseError::Format.to_string(),
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    );
}

#[test]
fn quantities_are_compared_by_value() {
    for (a, b, want) in [
        ("1000m", "1", Ordering::Equal),
        ("1Ki", "1024", Ordering::Equal),
        ("1Ki", "1k", Ordering::Greater),
        ("-1", "1n", Ordering::Less),
        ("-2", "-1", Ordering::Less),
        ("1e100", "1e99", Ordering::Greater),
        ("1e999999999", "2", Ordering::Greater),
        ("-1e999999999", "2", Ordering::Less),
        ("123456789012345678901", "123456789012345678900", Ordering::Greater),
        ("0", "-0", Ordering::Equal),
    ] {
        assert_eq!(quantity(a).cmp(&quantity(b)), want, "{a} and {b}");
        assert_eq!(quantity(b).cmp(&quantity(a)), want.reverse(), "{b} and {a}");
    }
}

#[test]
fn quantities_are_added_and_subtracted() {
    for (a, b, sum, difference) in [
        ("1", "500m", "1500m", "500m"),
        ("1Gi", "512Mi", "1536Mi", "512Mi"),
        ("0", "1Ki", "1Ki", "-1Ki"),
        ("100m", "100m", "200m", "0"),
        ("7Ei", "7Ei", "14Ei", "0"),
        ("1e20", "1", "100000000000000000001", "99999999999999999999"),
        ("1e99999", "1", "1e99999", "1e99999"),
    ] {
        let (a, b) = (quantity(a), quantity(b));
        assert_eq!(a.add(&b).to_string(), sum, "{a} + {b}");
        assert_eq!(a.sub(&b).to_string(), difference, "{a} - {b}");
    }
}

#[test]
fn values_are_rounded_up_and_saturate() {
    for (text, value, milli) in [
        ("100m", 1, 100),
        ("1500m", 2, 1500),
        ("-1500m", -2, -1500),
        ("1n", 1, 1),
        ("2Gi", 2_147_483_648, 2_147_483_648_000),
        ("1e30", i64::MAX, i64::MAX),
        ("-1e30", i64::MIN, i64::MIN),
        ("9E", 9_000_000_000_000_000_000, i64::MAX),
        ("0", 0, 0),
    ] {
        assert_eq!((quantity(text).value(), quantity(text).milli_value()), (value, milli), "{text}");
    }
    for (text, want) in [("0.0001", "1m"), ("1500u", "2m"), ("-1500u", "-2m"), ("1.500", "1.500"), ("1Ki", "1Ki")] {
        assert_eq!(quantity(text).rounded_up_to_milli().to_string(), want, "{text}");
    }
    assert_eq!(quantity("1500m").as_i64(), None);
    assert_eq!(quantity("3k").as_i64(), Some(3000));
    assert!((quantity("1500m").as_f64() - 1.5).abs() < f64::EPSILON);
}

#[test]
fn an_exponent_ends_at_the_limit_and_is_read_as_it_is_shown() {
    for text in
        ["99723000E32922223372", "1e1073741824", "-10e1073741823", "1e99999999999", "1.5e1073741823", "1e-99999999999"]
    {
        let shown = quantity(text).to_string();
        assert_eq!(quantity(&shown), quantity(text), "{text} {shown}");
    }
}

#[test]
fn json_numbers_are_quantities_too() {
    use serde_json::json;
    for (value, want) in [(json!(2), "2"), (json!(0.5), "500m"), (json!(" 1Ki "), "1Ki"), (json!(null), "0")] {
        assert_eq!(Quantity::from_value(&value).map(|q| q.to_string()), Ok(want.to_owned()), "{value}");
    }
    assert_eq!(Quantity::from_value(&json!([1])), Err(ParseError::Format));
}

proptest::proptest! {
    #[test]
    fn a_fraction_of_nothing_changes_nothing(
        number in proptest::prelude::any::<i64>(), suffix in "(m|k|M|G|E|Ki|Mi|Gi|Ti|Pi|Ei|e-?[0-9]{1,2})?"
    ) {
        for number in [number, number >> 40, number >> 56] {
            let (whole, fraction) = (quantity(&format!("{number}{suffix}")), quantity(&format!("{number}.0{suffix}")));
            proptest::prop_assert_eq!(&whole, &fraction);
            proptest::prop_assert_eq!(whole.format(), fraction.format());
        }
    }

    #[test]
    fn any_text_is_a_quantity_or_is_refused(text in "[+-]?[0-9]{0,25}[.]?[0-9]{0,12}[eEinumkKMGTPé]{0,2}[+-]?[0-9]{0,9}") {
        if let Ok(quantity) = text.parse::<Quantity>() {
            let again: Quantity = quantity.to_string().parse().unwrap();
            proptest::prop_assert_eq!(&again, &quantity, "{} became {}", text, quantity);
        }
    }

    #[test]
    fn arithmetic_agrees_with_integers(a in -1_000_000_000i64..1_000_000_000, b in -1_000_000_000i64..1_000_000_000) {
        let (qa, qb) = (Quantity::from_milli(a, Format::DecimalSi), Quantity::from_milli(b, Format::DecimalSi));
        proptest::prop_assert_eq!(qa.add(&qb).milli_value(), a + b);
        proptest::prop_assert_eq!(qa.sub(&qb).milli_value(), a - b);
        proptest::prop_assert_eq!(qa.cmp(&qb), a.cmp(&b));
    }
}
