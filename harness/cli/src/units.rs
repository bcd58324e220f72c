//! Times and sizes as people write them, and as they read them; values with their errors.

use clmbench_protocol::Number;

/// Seconds from `90`, `90s`, `30m`, `6h` or `2d`.
pub fn seconds(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let scale = match unit {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("expected a time such as 90s, 30m or 6h".to_owned()),
    };
    whole(number, scale).ok_or_else(|| "expected a whole time above 0, such as 90s, 30m or 6h".to_owned())
}

/// Bytes from `1048576`, `512MiB`, `4GiB` or `4G` (powers of 1024) or `4GB` (powers of 1000).
pub fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let scale = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err("expected a size such as 512MiB or 4GiB".to_owned()),
    };
    whole(number, scale).ok_or_else(|| "expected a whole size above 0, such as 512MiB or 4GiB".to_owned())
}

/// `3.4 s`, `2 min 05 s`, `1 h 02 min`, `3 d 04 h`.
pub fn show_seconds(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".to_owned();
    }
    if seconds < 59.95 {
        return format!("{:.1} s", seconds + 0.0); // an empty sum is -0.0
    }
    let whole = seconds.round() as u64;
    match whole {
        0..3_600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {:02} min", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{} d {:02} h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

/// `512 B`, `1.5 MiB`, `3.0 GiB`.
pub fn show_bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn whole(number: &str, scale: u64) -> Option<u64> {
    number.parse::<u64>().ok()?.checked_mul(scale).filter(|value| *value > 0)
}

/// `1 metric`, `2 metrics`.
pub fn counted(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// `1.235 ± 0.010`: two digits of the error, and the value as far; an exact value alone; a value that was never computed is a dash.
pub fn with_error(value: Number, error: Number) -> String {
    let (value, error) = (value.0, error.0);
    if value.is_nan() && error.is_nan() {
        return "–".into();
    }
    if error == 0.0 {
        return format!("{value} (exact)");
    }
    if !error.is_finite() || !value.is_finite() {
        return format!("{value:.4} ± {error:.4}");
    }
    let place = error.log10().floor();
    if (-4.0..4.0).contains(&place) {
        let decimals = (1.0 - place).max(0.0) as usize;
        return format!("{value:.decimals$} ± {error:.decimals$}");
    }
    let digits = (value.abs().max(error).log10().floor() - place + 1.0).clamp(1.0, 8.0) as usize;
    format!("{value:.digits$e} ± {error:.1e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_two_digits() {
        let shown = |value, error| with_error(Number(value), Number(error));
        assert_eq!(shown(196.2059, 14.9883), "196 ± 15");
        assert_eq!(shown(0.001_012, 0.000_077), "1.012e-3 ± 7.7e-5");
        assert_eq!(shown(1.55832, 0.0104), "1.558 ± 0.010");
        assert_eq!(shown(16.0, 0.0), "16 (exact)");
        assert_eq!(shown(f64::NAN, f64::NAN), "–");
    }

    #[test]
    fn times() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("90 s"), Ok(90));
        assert_eq!(seconds("30m"), Ok(1_800));
        assert_eq!(seconds("6h"), Ok(21_600));
        for wrong in ["", "h", "0", "1.5h", "-3s", "3 weeks", "99999999999999999999d"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        assert_eq!(show_seconds(3.44), "3.4 s");
        assert_eq!(show_seconds(-0.0), "0.0 s");
        assert_eq!(show_seconds(59.97), "1 min 00 s");
        assert_eq!(show_seconds(125.0), "2 min 05 s");
        assert_eq!(show_seconds(3_720.0), "1 h 02 min");
        assert_eq!(show_seconds(f64::NAN), "?");
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("4GiB"), Ok(4 << 30));
        assert_eq!(bytes("4gb"), Ok(4_000_000_000));
        assert_eq!(bytes("512 MiB"), Ok(512 << 20));
        for wrong in ["GiB", "4 gigs", "0", "99999999999TiB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        assert_eq!(show_bytes(512), "512 B");
        assert_eq!(show_bytes(1_572_864), "1.5 MiB");
    }
}
