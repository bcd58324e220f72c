//! `plugin new`: a crate outside the checkout that builds as it is written.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    arguments::{Kind, NewArguments},
    console::Console,
    error::CliError,
    places,
};

/// Files of every crate, with `@WORD@` where the user's names go.
const COMMON: [(&str, &str); 3] = [
    ("Cargo.toml", include_str!("../../../template/Cargo.toml.txt")),
    ("plugin.toml", include_str!("../../../template/plugin.toml.txt")),
    (".gitignore", "/target/\n"),
];
const METRIC: [(&str, &str); 2] = [
    ("src/lib.rs", include_str!("../../../template/metric/lib.rs.txt")),
    ("README.md", include_str!("../../../template/metric/README.md.txt")),
];
const DATASET: [(&str, &str); 3] = [
    ("src/lib.rs", include_str!("../../../template/dataset/lib.rs.txt")),
    ("README.md", include_str!("../../../template/dataset/README.md.txt")),
    ("example.txt", include_str!("../../../template/dataset/example.txt")),
];
const ARCHITECTURE: [(&str, &str); 2] = [
    ("src/lib.rs", include_str!("../../../template/architecture/lib.rs.txt")),
    ("README.md", include_str!("../../../template/architecture/README.md.txt")),
];
const CONFIG: &str = include_str!("../../../template/config.toml.txt");
/// The linker flags of the checkout, as of compilation: the crate must use the same ones to share its target folder.
const CHECKOUT_CONFIG: &str = include_str!("../../../../../.cargo/config.toml");
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Files of a kind of crate.
fn files(kind: Kind) -> impl Iterator<Item = (&'static str, &'static str)> {
    let own: &[(&str, &str)] = match kind {
        Kind::Metric => &METRIC,
        Kind::Dataset => &DATASET,
        Kind::Architecture => &ARCHITECTURE,
    };
    COMMON.iter().chain(own).copied()
}

/// Writes the crate and says what comes next.
///
/// # Errors
/// [`CliError::Usage`] for a bad name or a folder in use, [`CliError::SdkNotFound`], [`CliError::File`].
pub fn run(arguments: &NewArguments, console: Console) -> Result<(), CliError> {
    let name = Name::parse(arguments.kind, &arguments.name)?;
    let sdk = places::sdk(arguments.sdk.as_deref())?;
    let out = std::path::absolute(&arguments.out).map_err(|error| CliError::file(&arguments.out, error))?;
    must_be_free(&out)?;
    let checkout = places::checkout_of(&sdk);
    let lock = checkout.as_ref().map(|checkout| checkout.join("Cargo.lock"));
    let lock = lock.map(|path| std::fs::read_to_string(&path).map_err(|error| CliError::file(&path, error))).transpose()?;
    name.must_be_new(lock.as_deref().unwrap_or_default())?;
    for (path, template) in files(name.kind) {
        write(&out.join(path), &fill(template, &name, &sdk))?;
    }
    write(&out.join("rust-toolchain.toml"), places::toolchain_file())?;
    match checkout.zip(lock) {
        Some((checkout, lock)) => {
            let config = CONFIG
                .replace("@LIBTORCH@", &text(&checkout.join("third_party/libtorch/torch")))
                .replace("@TARGET@", &text(&checkout.join("target")))
                .replace("@RUSTFLAGS@", &rust_flags());
            write(&out.join(".cargo/config.toml"), &config)?;
            write(&out.join("Cargo.lock"), &lock)?;
        }
        None => console.note(
            "note: this sdk is not inside a clmbench checkout, so set LIBTORCH to the folder of libtorch 2.11.0 before building",
        ),
    }
    let (kind, id) = (name.word(), name.id());
    console.print(&format!("wrote {}: {kind} {id} in {}", out.display(), out.join("src/lib.rs").display()))?;
    let (try_with, suite) = match name.kind {
        Kind::Metric => (String::new(), format!("[[metric]]\n  id = \"{id}\"")),
        Kind::Dataset => (
            format!(" --file {}/example.txt --task value=regression", shell_word(&arguments.out)),
            format!("[[dataset]]\n  source = \"{id}\"\n  path = \"my.txt\"\n  targets = [\"value\"]"),
        ),
        Kind::Architecture => {
            (String::new(), format!("[[model]]\n  architecture = \"{id}\"\n  presets = [\"tiny\"]\n  tokens = 100_000"))
        }
    };
    console.note(&format!(
        "next: edit src/lib.rs, then\n  clmbench plugin build {0}\n  clmbench plugin try {id}{try_with}\nand name it in a suite:\n  {suite}",
        shell_word(&arguments.out),
    ));
    Ok(())
}

/// The user's name, in the forms that the files need.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    kind: Kind,
    family: String,
    name: String,
}

impl Name {
    fn parse(kind: Kind, text: &str) -> Result<Self, CliError> {
        let (family, name) = match kind {
            Kind::Metric => text.split_once('/').unwrap_or(("custom", text)),
            Kind::Dataset | Kind::Architecture => ("custom", text),
        };
        let fits = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_lowercase())
                && part.len() <= 40
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        if fits(family) && fits(name) {
            return Ok(Self { kind, family: family.to_owned(), name: name.to_owned() });
        }
        let hint = match kind {
            Kind::Metric => {
                "write `name` or `family/name` with lower-case letters, digits and `_`, such as steepness or hessian/top_eigenvalue"
            }
            Kind::Dataset => "write the name of its source with lower-case letters, digits and `_`, such as solubility",
            Kind::Architecture => "write a name with lower-case letters, digits and `_`, such as bag",
        };
        let meant = text.to_lowercase().replace(['-', ' '], "_");
        let meant =
            if meant != text && Self::parse(kind, &meant).is_ok() { format!(". Did you mean `{meant}`?") } else { String::new() };
        let (word, article) = (word(kind), if kind == Kind::Architecture { "an" } else { "a" });
        Err(CliError::Usage { message: format!("`{text}` is not a name for {article} {word}{meant}"), hint: hint.to_owned() })
    }

    /// Refuses the name of a crate of the checkout, whose lock file this is: the two share a target folder, and one library would
    /// replace the other there without a word.
    fn must_be_new(&self, lock: &str) -> Result<(), CliError> {
        let package = self.package();
        if !lock.lines().any(|line| line == format!("name = \"{package}\"")) {
            return Ok(());
        }
        let family = if self.kind == Kind::Metric { ", or put a family before it, such as mine/name" } else { "" };
        Err(CliError::Usage {
            message: format!("there is a plugin {package} in this checkout already"),
            hint: format!("choose another name{family}"),
        })
    }

    fn word(&self) -> &'static str {
        word(self.kind)
    }

    /// As suites name it.
    fn id(&self) -> String {
        match self.kind {
            Kind::Metric => format!("{}/{}", self.family, self.name),
            Kind::Dataset | Kind::Architecture => self.name.clone(),
        }
    }

    /// `clmbench-plugin-hessian-top-eigenvalue`; the family `custom` is left out.
    fn package(&self) -> String {
        let both = if self.family == "custom" { self.name.clone() } else { format!("{}_{}", self.family, self.name) };
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
        let name: String = self.name.split('_').map(capital).collect();
        // Names that the sdk's prelude and the templates use already.
        let taken = [
            "Metric",
            "Dataset",
            "Architecture",
            "Model",
            "Parameter",
            "Params",
            "Probe",
            "Sample",
            "Value",
            "Measurement",
            "Files",
            "Tensor",
            "Kind",
            "Device",
            "Labels",
            "Role",
            "Scope",
            "Direction",
            "Objective",
            "Comparable",
            "Net",
            "Block",
            "Result",
            "Option",
            "String",
            "Vec",
            "Box",
            "Ok",
            "Err",
            "Some",
            "None",
            "Self",
        ];
        if taken.contains(&name.as_str()) { format!("My{name}") } else { name }
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Metric => "metric",
        Kind::Dataset => "dataset",
        Kind::Architecture => "architecture",
    }
}

fn fill(template: &str, name: &Name, sdk: &Path) -> String {
    let description = match name.kind {
        Kind::Metric => "A metric for clmbench.",
        Kind::Dataset => "A dataset source for clmbench.",
        Kind::Architecture => "An architecture for clmbench.",
    };
    template
        .replace("@CRATE@", &name.package())
        .replace("@DESCRIPTION@", description)
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@REVISION@", &revision(sdk))
        .replace("@LIBRARY@", &name.library())
        .replace("@ID@", &name.id())
        .replace("@TYPE@", &name.type_name())
        .replace("@SDK@", &text(sdk))
}

/// `, revision <commit> (sources <digest>)`, as far as they are known.
fn revision(sdk: &Path) -> String {
    let git = Command::new("git").arg("-C").arg(sdk).args(["rev-parse", "--short=12", "HEAD"]).stderr(Stdio::null()).output();
    let commit = git.ok().filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let commit = commit.filter(|text| !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit()));
    let sources = sdk.parent().and_then(|harness| crate::edge_sources::digest(harness).ok());
    let commit = commit.map(|commit| format!(", commit {commit}")).unwrap_or_default();
    commit + &sources.map(|sources| format!(", sources {sources}")).unwrap_or_default()
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

    fn metric(text: &str) -> Result<Name, CliError> {
        Name::parse(Kind::Metric, text)
    }

    #[test]
    fn names_become_ids_crates_and_types() {
        let plain = metric("steepness").unwrap();
        assert_eq!((plain.id().as_str(), plain.package().as_str()), ("custom/steepness", "clmbench-plugin-steepness"));
        let family = metric("hessian/top_eigenvalue").unwrap();
        assert_eq!(family.package(), "clmbench-plugin-hessian-top-eigenvalue");
        assert_eq!(family.library(), "libclmbench_plugin_hessian_top_eigenvalue.so");
        assert_eq!(family.type_name(), "TopEigenvalue");
        let source = Name::parse(Kind::Dataset, "solubility").unwrap();
        assert_eq!((source.id().as_str(), source.package().as_str()), ("solubility", "clmbench-plugin-solubility"));
        assert_eq!(Name::parse(Kind::Architecture, "model").unwrap().type_name(), "MyModel");
        for wrong in ["", "Sharp", "a b", "a/b/c", "../x", "1st", "-x", "a/", "ß"] {
            assert!(metric(wrong).is_err(), "{wrong}");
        }
        let error = metric("My-metric").unwrap_err().to_string();
        assert_eq!(error, "`My-metric` is not a name for a metric. Did you mean `my_metric`?");
        for kind in [Kind::Dataset, Kind::Architecture] {
            assert!(Name::parse(kind, "family/name").is_err());
        }
    }

    #[test]
    fn names_of_the_checkout_are_taken() {
        let lock = include_str!("../../../../../Cargo.lock");
        for (kind, taken) in [(Kind::Metric, "loss"), (Kind::Dataset, "csv"), (Kind::Architecture, "bert")] {
            let text = Name::parse(kind, taken).unwrap().must_be_new(lock).unwrap_err().to_string();
            assert_eq!(text, format!("there is a plugin clmbench-plugin-{taken} in this checkout already"));
        }
        for (kind, free) in [(Kind::Metric, "mine/loss"), (Kind::Metric, "steepness"), (Kind::Dataset, "solubility")] {
            assert!(Name::parse(kind, free).unwrap().must_be_new(lock).is_ok(), "{free}");
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
        let (_, template) = METRIC[0];
        let from = template.find("    fn measure(").unwrap();
        let to = from + template[from..].find("\n    }\n").unwrap();
        let readme: HashSet<&str> = include_str!("../../../../../README.md").lines().map(str::trim).collect();
        for line in template[from..to].lines().map(str::trim) {
            assert!(readme.contains(line), "README.md lacks `{line}`");
        }
    }

    #[test]
    fn every_placeholder_is_filled_and_every_file_parses() {
        for kind in [Kind::Metric, Kind::Dataset, Kind::Architecture] {
            let name = Name::parse(kind, "steepness").unwrap();
            for (path, template) in files(kind) {
                let text = fill(template, &name, Path::new("/some where/\"sdk"));
                let left = text.match_indices('@').count();
                assert_eq!(left, 0, "{path}: {text}");
                if path.ends_with(".toml") {
                    text.parse::<toml::Table>().unwrap();
                }
            }
        }
    }
}
