//! Numbers with units, as people write them: times and shares.
//!
//! Invariant: no floating point. What is read is exact or refused, and what is written reads back as the same number.

/// A million, of which shares are so many: a hundredth of it is a percent.
const PERCENT: u64 = 10_000;

/// A whole number with an optional fraction, and a unit, as so many of a smaller unit. A fraction that is finer than
/// that is refused.
pub(crate) fn exact(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (amount, unit) = text.split_at(digits);
    let scale = units.iter().find(|(name, _)| *name == unit)?.1;
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
    let mut total = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    if fraction.is_empty() {
        return None;
    }
    let mut place = scale;
    for digit in fraction.bytes() {
        let digit = u64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
        if digit != 0 && (place == 0 || place % 10 != 0) {
            return None;
        }
        place /= 10;
        total = total.checked_add(digit.checked_mul(place)?)?;
    }
    Some(total)
}

/// A simulated time in microseconds.
pub(crate) fn time(text: &str) -> Option<u64> {
    exact(text, &[("us", 1), ("ms", 1_000), ("s", 1_000_000)])
}

/// Microseconds in the greatest unit of which they are at least one.
pub(crate) fn time_text(microseconds: u64) -> String {
    match microseconds {
        0 => "0ms".to_owned(),
        1..1_000 => format!("{microseconds}us"),
        1_000..1_000_000 => decimal(microseconds, 1_000) + "ms",
        _ => decimal(microseconds, 1_000_000) + "s",
    }
}

/// Percents as millionths.
pub(crate) fn share(text: &str) -> Option<u32> {
    exact(text, &[("%", PERCENT)])?.try_into().ok()
}

/// Millionths as percents.
pub(crate) fn share_text(per_million: u32) -> String {
    decimal(per_million.into(), PERCENT) + "%"
}

/// A number as a decimal of a unit that is a power of ten of it.
fn decimal(number: u64, unit: u64) -> String {
    let (whole, fraction) = (number / unit, number % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    // With the unit before it a fraction has all its zeros.
    let digits = (unit + fraction).to_string();
    format!("{whole}.{}", digits[1..].trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Goal: each unit is read, and what cannot be said exactly is no number.
    #[test]
    fn numbers_are_exact() {
        assert_eq!(time("1.5s"), Some(1_500_000));
        assert_eq!(time("0.001ms"), Some(1));
        assert_eq!(time("1.0000000s"), Some(1_000_000));
        assert_eq!(share("0.1%"), Some(1_000));
        for text in ["", "s", "1.s", ".5s", "1.2.3s", "0.0001ms", "0.5us", "+1s", "17", "1 s"] {
            assert_eq!(time(text), None, "{text}");
        }
        for text in ["0.00001%", "%", "429496.7296%", "5"] {
            assert_eq!(share(text), None, "{text}");
        }
    }

    /// Goal: times are written in the unit in which people would say them.
    #[test]
    fn times_are_written_as_people_would() {
        let cases = [
            (0, "0ms"),
            (7, "7us"),
            (1_500, "1.5ms"),
            (20_000, "20ms"),
            (150_001, "150.001ms"),
            (1_000_000, "1s"),
            (2_000_017, "2.000017s"),
        ];
        for (microseconds, text) in cases {
            assert_eq!(time_text(microseconds), text);
        }
    }

    proptest! {
        /// Goal: whatever the number, it comes back.
        #[test]
        fn numbers_survive(number in any::<u64>(), size in 0..64_u32) {
            let number = number >> size;
            prop_assert_eq!(time(&time_text(number)), Some(number));
            let per_million = u32::try_from(number).unwrap_or(u32::MAX);
            prop_assert_eq!(share(&share_text(per_million)), Some(per_million));
        }
    }
}
