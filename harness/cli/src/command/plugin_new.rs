//! `plugin new`: a crate outside the checkout that builds as it is written.

use std::path::Path;

use crate::{
    arguments::{Kind, NewArguments},
    console::Console,
    error::CliError,
    places,
};

/// Files of the crate, with `@WORD@` where the user's names go.
const FILES: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("../../template/Cargo.toml.txt")),
    ("plugin.toml", include_str!("../../template/plugin.toml.txt")),
    ("src/lib.rs", include_str!("../../template/lib.rs.txt")),
    ("README.md", include_str!("../../template/README.md.txt")),
    (".gitignore", "/target/\n"),
];
const CONFIG: &str = include_str!("../../template/config.toml.txt");
/// The linker flags of the checkout, as of compilation: the crate must use the same ones to share its target folder.
const CHECKOUT_CONFIG: &str = include_str!("../../../../.cargo/config.toml");
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Writes the crate and says what comes next.
///
/// # Errors
/// [`CliError::Usage`] for a bad name or a folder in use, [`CliError::SdkNotFound`], [`CliError::File`].
pub fn run(arguments: &NewArguments, console: Console) -> Result<(), CliError> {
    let Kind::Metric = arguments.kind;
    let name = Name::parse(&arguments.name)?;
    let sdk = places::sdk(arguments.sdk.as_deref())?;
    let out = std::path::absolute(&arguments.out).map_err(|error| CliError::file(&arguments.out, error))?;
    must_be_free(&out)?;
    for (path, template) in FILES {
        write(&out.join(path), &fill(template, &name, &sdk))?;
    }
    write(&out.join("rust-toolchain.toml"), places::toolchain_file())?;
    match places::checkout_of(&sdk) {
        Some(checkout) => {
            let config = CONFIG
                .replace("@LIBTORCH@", &text(&checkout.join("third_party/libtorch/torch")))
                .replace("@RUSTFLAGS@", &rust_flags());
            write(&out.join(".cargo/config.toml"), &config)?;
            let lock = checkout.join("Cargo.lock");
            let lock_text = std::fs::read_to_string(&lock).map_err(|error| CliError::file(&lock, error))?;
            write(&out.join("Cargo.lock"), &lock_text)?;
        }
        None => console.note(
            "note: this sdk is not inside a clmbench checkout, so set LIBTORCH to the folder of libtorch 2.11.0 before building",
        ),
    }
    console.print(&format!("wrote {}: metric {} in {}", out.display(), name.id(), out.join("src/lib.rs").display()))?;
    console.note(&format!(
        "next: edit src/lib.rs, then\n  clmbench plugin build {0}\nand name it in a suite:\n  [[metric]]\n  id = \"{1}\"",
        shell_word(&arguments.out),
        name.id()
    ));
    Ok(())
}

/// The user's name for the metric, in the forms that the files need.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    family: String,
    metric: String,
}

impl Name {
    fn parse(text: &str) -> Result<Self, CliError> {
        let (family, metric) = text.split_once('/').unwrap_or(("custom", text));
        let fits = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_lowercase())
                && part.len() <= 40
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        if fits(family) && fits(metric) {
            Ok(Self { family: family.to_owned(), metric: metric.to_owned() })
        } else {
            Err(CliError::Usage {
                message: format!("`{text}` is not a name for a metric"),
                hint: "write `name` or `family/name` with lower-case letters, digits and `_`, such as steepness or \
                       hessian/top_eigenvalue"
                    .to_owned(),
            })
        }
    }

    fn id(&self) -> String {
        format!("{}/{}", self.family, self.metric)
    }

    /// `clmbench-plugin-hessian-top-eigenvalue`; the family `custom` is left out.
    fn package(&self) -> String {
        let both = if self.family == "custom" { self.metric.clone() } else { format!("{}_{}", self.family, self.metric) };
        format!("clmbench-plugin-{}", both.replace('_', "-"))
    }

    fn library(&self) -> String {
        format!("lib{}.so", self.package().replace('-', "_"))
    }

    /// `TopEigenvalue`.
    fn type_name(&self) -> String {
        let capital = |word: &str| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
        };
        self.metric.split('_').map(capital).collect()
    }
}

fn fill(template: &str, name: &Name, sdk: &Path) -> String {
    let check = places::user_plugins().map_or_else(|_| "PATH".into(), |folder| text(&folder.join(name.package())));
    template
        .replace("@CRATE@", &name.package())
        .replace("@LIBRARY@", &name.library())
        .replace("@ID@", &name.id())
        .replace("@METRIC@", &name.metric)
        .replace("@TYPE@", &name.type_name())
        .replace("@SDK@", &text(sdk))
        .replace("@CHECK@", &check)
}

/// The `rustflags` of the checkout as a TOML array.
fn rust_flags() -> String {
    let table: toml::Table = CHECKOUT_CONFIG.parse().unwrap_or_default();
    let flags = table.get("target").and_then(|target| target.get(TARGET)).and_then(|target| target.get("rustflags"));
    flags.map_or_else(|| "[]".to_owned(), ToString::to_string)
}

fn must_be_free(out: &Path) -> Result<(), CliError> {
    let in_use = |what: &str| CliError::Usage {
        message: format!("{} {what}", out.display()),
        hint: "choose a folder that does not exist yet or is empty".to_owned(),
    };
    match std::fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(in_use("is not empty")),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Err(in_use("is a file")),
        Err(error) => Err(CliError::file(out, error)),
    }
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(|error| CliError::file(folder, error))?;
    std::fs::write(path, text).map_err(|error| CliError::file(path, error))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"")
}

fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let safe = |c: char| c.is_ascii_alphanumeric() || "/._-~+".contains(c);
    if !text.is_empty() && text.chars().all(safe) { text.into_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_become_ids_crates_and_types() {
        let plain = Name::parse("steepness").unwrap();
        assert_eq!((plain.id().as_str(), plain.package().as_str()), ("custom/steepness", "clmbench-plugin-steepness"));
        let family = Name::parse("hessian/top_eigenvalue").unwrap();
        assert_eq!(family.package(), "clmbench-plugin-hessian-top-eigenvalue");
        assert_eq!(family.library(), "libclmbench_plugin_hessian_top_eigenvalue.so");
        assert_eq!(family.type_name(), "TopEigenvalue");
        for wrong in ["", "Sharp", "a b", "a/b/c", "../x", "1st", "-x", "a/", "ß"] {
            assert!(Name::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_flags_of_the_checkout_are_passed_on() {
        let table: toml::Table = format!("flags = {}", rust_flags()).parse().unwrap();
        let flags = table["flags"].as_array().unwrap();
        assert!(flags.iter().any(|flag| flag.as_str().unwrap().contains("$ORIGIN")));
    }

    #[test]
    fn the_readme_shows_the_metric_that_is_written() {
        let (_, template) = FILES[2];
        let from = template.find("    fn measure(").unwrap();
        let to = from + template[from..].find("\n    }\n").unwrap();
        let readme: HashSet<&str> = include_str!("../../../../README.md").lines().map(str::trim).collect();
        for line in template[from..to].lines().map(str::trim) {
            assert!(readme.contains(line), "README.md lacks `{line}`");
        }
    }

    #[test]
    fn every_placeholder_is_filled_and_every_file_parses() {
        let name = Name::parse("steepness").unwrap();
        for (path, template) in FILES {
            let text = fill(template, &name, Path::new("/some where/\"sdk"));
            let left = text.match_indices('@').count();
            assert_eq!(left, 0, "{path}: {text}");
            if path.ends_with(".toml") {
                text.parse::<toml::Table>().unwrap();
            }
        }
    }
}
