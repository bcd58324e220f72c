//! Rules on Rust code.

use std::collections::BTreeSet;

use super::{
    Offence, rules,
    rust::{Line, calls_macro, has_word},
    tree::{TextFile, Tree},
};

/// How many lines above it an explanation of unsafe code may begin.
const NEAR: usize = 8;

/// Offences of every line that `rule` objects to.
fn each_line<'a>(
    files: impl Iterator<Item = &'a TextFile>,
    tests_too: bool,
    rule: impl Fn(&TextFile, usize, &Line) -> Option<String>,
) -> Vec<Offence> {
    let mut offences = Vec::new();
    for file in files {
        for (index, line) in file.rust.iter().enumerate().filter(|(_, line)| tests_too || !line.test) {
            offences.extend(rule(file, index, line).map(|message| Offence::new(&file.path, index + 1, message)));
        }
    }
    offences
}

/// Only cli, xtask and the examples print; others return or log.
pub fn printing(tree: &Tree) -> Vec<Offence> {
    let prints = |path: &str| rules::PRINTING.iter().any(|start| path.starts_with(start)) || path.contains("/examples/");
    let files = tree.rust().filter(|file| !prints(&file.path) && !file.path.ends_with("/build.rs"));
    each_line(files, false, |_, _, line| {
        let found = ["println", "eprintln", "print", "eprint"].into_iter().find(|name| calls_macro(&line.code, name))?;
        Some(format!("`{found}!`: only cli and xtask print; return the text or log it"))
    })
}

/// What must not be left in code that users run.
pub fn shortcuts(tree: &Tree) -> Vec<Offence> {
    each_line(tree.rust(), false, |_, _, line| {
        let found = ["todo", "unimplemented", "dbg"].into_iter().find(|name| calls_macro(&line.code, name));
        match found {
            Some(name) => Some(format!("`{name}!`: finish it or return a typed error")),
            None => line.code.contains(".unwrap()").then(|| "`.unwrap()`: return a typed error".to_owned()),
        }
    })
}

/// Unsafe code has a SAFETY line, and lives in the crates of the edge or in a file that is listed with its reason.
pub fn unsafe_code(tree: &Tree) -> Vec<Offence> {
    let mut offences = each_line(tree.rust(), true, |file, index, line| {
        if !has_word(&line.code, "unsafe") {
            return None;
        }
        let allowed = rules::UNSAFE.iter().any(|start| file.path.starts_with(start))
            || rules::UNSAFE_EXCEPTIONS.iter().any(|(path, _)| file.path == *path)
            || file.path.split('/').any(|part| part == "tests");
        if !allowed {
            return Some("unsafe code here: move it to api, sdk, torch-ext or the loader, or list the file with its reason in xtask's rules".into());
        }
        let near = &file.rust[index.saturating_sub(NEAR)..=index];
        let explained = near.iter().any(|line| line.comment.contains("SAFETY:") || line.comment.contains("# Safety"));
        (!explained && !promises_nothing(&line.code)).then(|| "unsafe code without a `// SAFETY:` line just above it".into())
    });
    for (path, reason) in rules::UNSAFE_EXCEPTIONS {
        let needed = tree.file(path).is_some_and(|file| file.rust.iter().any(|line| has_word(&line.code, "unsafe")));
        if !needed && tree.paths.contains("harness/xtask/Cargo.toml") {
            offences.push(Offence::new(
                "harness/xtask/src/tidy/rules.rs",
                1,
                format!("`{path}` ({reason}) has no unsafe code: take it off the list"),
            ));
        }
    }
    offences
}

/// `#[unsafe(no_mangle)]` and the type `unsafe extern "C" fn()` do nothing that would need an explanation.
fn promises_nothing(code: &str) -> bool {
    code.match_indices("unsafe").all(|(at, word)| {
        let rest = code[at + word.len()..].trim_start();
        let rest = rest.strip_prefix("extern").map_or(rest, |rest| rest.trim_start().trim_start_matches(['"', ' ']));
        rest.starts_with('(') || rest.starts_with("fn(")
    })
}

/// A test that is not run says why.
pub fn ignored_tests(tree: &Tree) -> Vec<Offence> {
    each_line(tree.rust(), true, |_, _, line| {
        let bare = line.code.replace(' ', "").contains("#[ignore]");
        bare.then(|| "`#[ignore]` without a reason: write `#[ignore = \"why\"]`, or run it".to_owned())
    })
}

/// The host names no plugin of this repository: everything it knows of plugins comes from their manifests.
pub fn plugin_names(tree: &Tree) -> Vec<Offence> {
    let manifests = tree.files.iter().filter(|file| file.path.starts_with("plugins/") && file.path.ends_with("/Cargo.toml"));
    let quoted = |line: &str| Some(line.strip_prefix("name = \"")?.split('"').next()?.to_owned());
    let names: BTreeSet<String> = manifests.filter_map(|file| file.text.lines().find_map(quoted)).collect();
    let files = tree.rust().filter(|file| file.path.starts_with("harness/") && !file.path.starts_with("harness/xtask/"));
    each_line(files, false, |_, _, line| {
        let name = names.iter().find(|name| has_word(&line.text, name) || has_word(&line.text, &name.replace('-', "_")))?;
        Some(format!("names the plugin `{name}`; the host finds plugins by their manifests"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::made_up;

    fn lines(rule: fn(&Tree) -> Vec<Offence>, path: &str, text: &str) -> Vec<usize> {
        rule(&made_up(&[(path, text)])).iter().map(|offence| offence.line).collect()
    }

    #[test]
    fn printing_is_for_cli_and_xtask() {
        let text = "fn a() {\n    println!(\"x\");\n    // println!\n    let s = \"eprintln!\";\n    eprint!(\"y\");\n}\n#[cfg(test)]\nmod tests {\n    fn b() { println!(); }\n}\n";
        assert_eq!(lines(printing, "harness/stats/src/lib.rs", text), [2, 5]);
        assert_eq!(lines(printing, "plugins/metrics/a/src/lib.rs", text), [2, 5]);
        assert!(lines(printing, "plugins/metrics/a/examples/speed.rs", text).is_empty());
        for path in [
            "harness/cli/src/main.rs",
            "harness/xtask/src/main.rs",
            "harness/torch-ext/build.rs",
            "tests/src/lib.rs",
            "harness/a/tests/b.rs",
        ] {
            assert!(lines(printing, path, text).is_empty(), "{path}");
        }
    }

    #[test]
    fn no_shortcuts_outside_tests() {
        let text = "fn a() {\n    x.unwrap();\n    x.unwrap_or(1);\n    todo!()\n    dbg!(x);\n    unimplemented!(\"x\")\n}\n#[cfg(test)]\nmod tests {\n    fn b() { x.unwrap(); }\n}\n";
        assert_eq!(lines(shortcuts, "harness/stats/src/lib.rs", text), [2, 4, 5, 6]);
        assert!(lines(shortcuts, "tests/src/lib.rs", text).is_empty());
    }

    #[test]
    fn unsafe_is_explained_and_in_its_place() {
        let explained = "// SAFETY: fine\nlet a = unsafe { b() };\n";
        let bare = "let a = unsafe { b() };\n#[unsafe(no_mangle)]\nfn c() {}\ntype F = unsafe extern \"C\" fn(i32);\nunsafe extern \"C\" {\n";
        assert!(lines(unsafe_code, "harness/sdk/src/tensor.rs", explained).is_empty());
        assert!(lines(unsafe_code, "harness/engine/src/loader.rs", explained).is_empty());
        assert!(lines(unsafe_code, "harness/protocol/src/fault.rs", explained).is_empty());
        assert_eq!(lines(unsafe_code, "harness/sdk/src/tensor.rs", bare), [1, 5]);
        assert_eq!(lines(unsafe_code, "harness/engine/src/train.rs", explained), [2]);
        assert_eq!(lines(unsafe_code, "plugins/metrics/a/src/lib.rs", explained), [2]);
        assert_eq!(lines(unsafe_code, "tests/src/lib.rs", bare), [1, 5], "tests explain it too");
        let far = format!("// SAFETY: fine\n{}let a = unsafe {{ b() }};\n", "\n".repeat(NEAR));
        assert_eq!(lines(unsafe_code, "harness/sdk/src/a.rs", &far), [NEAR + 2]);
    }

    #[test]
    fn an_exception_that_is_not_needed_is_taken_off() {
        let tree = made_up(&[("harness/xtask/Cargo.toml", ""), ("harness/protocol/src/fault.rs", "// SAFETY: x\nunsafe {}\n")]);
        assert_eq!(unsafe_code(&tree).len(), rules::UNSAFE_EXCEPTIONS.len() - 1);
    }

    #[test]
    fn ignored_tests_say_why() {
        let text = "#[test]\n#[ignore]\nfn a() {}\n#[ignore = \"needs a GPU\"]\nfn b() {}\n";
        assert_eq!(lines(ignored_tests, "tests/src/lib.rs", text), [2]);
    }

    #[test]
    fn the_host_names_no_plugin() {
        let text = "let a = \"clmbench-plugin-bert\";\nlet b = format!(\"clmbench-plugin-{name}\");\n/// such as clmbench-plugin-bert\n\
                    use clmbench_plugin_bert::x;\nlet c = \"clmbench-plugin-example\";\n#[cfg(test)]\nmod tests {\n    \
                    const A: &str = \"clmbench-plugin-bert\";\n}\n";
        let offences = |path: &str| {
            let manifest = ("plugins/architectures/bert/Cargo.toml", "[package]\nname = \"clmbench-plugin-bert\"\n");
            plugin_names(&made_up(&[manifest, (path, text)])).iter().map(|offence| offence.line).collect::<Vec<_>>()
        };
        assert_eq!(offences("harness/runner/src/lib.rs"), [1, 4]);
        assert!(offences("harness/xtask/src/lib.rs").is_empty());
        assert!(offences("plugins/architectures/bert/src/lib.rs").is_empty());
    }
}
