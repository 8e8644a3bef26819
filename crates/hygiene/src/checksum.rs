//! Check digits: they tell an account number from any other row of digits.

/// How long an IBAN of a country is (SWIFT IBAN registry), for the countries that use one most.
const IBAN_LENGTHS: [(&str, usize); 44] = [
    ("AD", 24),
    ("AE", 23),
    ("AT", 20),
    ("BE", 16),
    ("BG", 22),
    ("CH", 21),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("EE", 20),
    ("ES", 24),
    ("FI", 18),
    ("FR", 27),
    ("GB", 22),
    ("GI", 23),
    ("GR", 27),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IS", 26),
    ("IT", 27),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MC", 27),
    ("MD", 24),
    ("MT", 31),
    ("NL", 18),
    ("NO", 15),
    ("PL", 28),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("SA", 24),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("TR", 26),
    ("UA", 29),
];

/// How many bytes of `text` are an IBAN, spaces included; nothing when its country, length or check digits are wrong.
pub(crate) fn iban(text: &str) -> Option<usize> {
    let country = text.get(..2)?;
    let (_, length) = IBAN_LENGTHS.iter().find(|(code, _)| *code == country)?;
    let mut compact = Vec::with_capacity(*length);
    let mut end = 0;
    for (at, byte) in text.bytes().enumerate() {
        if compact.len() == *length {
            break;
        }
        if byte != b' ' {
            compact.push(byte);
            end = at + 1;
        }
    }
    if compact.len() != *length || text.as_bytes().get(end).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    compact.rotate_left(4);
    let mut rest = 0_u32;
    for byte in compact {
        let value = char::from(byte).to_digit(36)?;
        rest = if value > 9 { (rest * 100 + value) % 97 } else { (rest * 10 + value) % 97 };
    }
    (rest == 1).then_some(end)
}

/// Whether the last of the digits is right by the Luhn formula (ISO/IEC 7812-1, annex B).
pub(crate) fn luhn(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => *digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    (13..=19).contains(&digits.len()) && sum.is_multiple_of(10) && digits.iter().any(|d| *d != digits[0])
}

/// Whether a Spanish identity number ends with its letter: eight digits by 23.
pub(crate) fn spanish(text: &str) -> bool {
    let (digits, letter) = text.split_at(text.len().saturating_sub(1));
    let digits = digits
        .trim_end_matches('-')
        .replace(['X', 'x'], "0")
        .replace(['Y', 'y'], "1")
        .replace(['Z', 'z'], "2");
    let Ok(number) = digits.parse::<usize>() else { return false };
    let right = b"TRWAGMYFPDXBNJZSQVHLCKE"[number % 23];
    letter.bytes().next().is_some_and(|given| given.to_ascii_uppercase() == right)
}

/// Whether a French social security number's key is right: thirteen digits by 97.
pub(crate) fn french(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let (Some(number), Some(key)) = (digits.get(..13), digits.get(13..15)) else { return false };
    let (Ok(number), Ok(key)) = (number.parse::<u64>(), key.parse::<u64>()) else { return false };
    digits.len() == 15 && 97 - number % 97 == key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iban_with_a_changed_digit_is_none() {
        assert_eq!(iban("DE89 3704 0044 0532 0130 00 BIC"), Some(27));
        assert_eq!(iban("GB82WEST12345698765432"), Some(22));
        assert_eq!(iban("DE88 3704 0044 0532 0130 00"), None);
        assert_eq!(iban("DE8937040044053201300"), None, "too short");
        assert_eq!(iban("ZZ89370400440532013000"), None);
    }

    #[test]
    fn a_card_with_a_changed_digit_is_none() {
        assert!(luhn("4111 1111 1111 1111") && luhn("378282246310005"));
        assert!(!luhn("4111 1111 1111 1112") && !luhn("0000 0000 0000 0000") && !luhn("18"));
    }

    #[test]
    fn identity_numbers_are_told_by_their_check_digits() {
        assert!(spanish("12345678Z") && spanish("12345678-z") && !spanish("12345678A") && !spanish(""));
        assert!(french("1 84 12 76 451 089 46") && !french("1 84 12 76 451 089 45") && !french("1"));
    }
}
