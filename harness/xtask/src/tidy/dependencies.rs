//! Who may depend on whom, from `cargo metadata`. Dev-dependencies are left out: they are in no product.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
};

use super::{Offence, rules, tree::Tree};
use crate::cargo::Metadata;

/// A crate of the graph.
#[derive(Debug)]
struct Crate {
    name: String,
    /// Folder relative to the root, for the workspace's own.
    folder: Option<String>,
    /// Ids of what it is built with.
    uses: Vec<String>,
}

/// The graph of normal and build dependencies.
#[derive(Debug)]
pub struct Graph {
    crates: BTreeMap<String, Crate>,
}

impl Graph {
    /// From the resolved metadata.
    pub fn new(checkout: &Path, metadata: &Metadata) -> Self {
        let members: BTreeSet<&String> = metadata.workspace_members.iter().collect();
        let mut crates: BTreeMap<String, Crate> = BTreeMap::new();
        for package in &metadata.packages {
            let folder = package.manifest_path.parent().and_then(|folder| folder.strip_prefix(checkout).ok());
            let folder = folder.filter(|_| members.contains(&package.id)).map(|folder| folder.to_string_lossy().into_owned());
            crates.insert(package.id.clone(), Crate { name: package.name.clone(), folder, uses: Vec::new() });
        }
        for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
            let built_with = node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev")));
            if let Some(package) = crates.get_mut(&node.id) {
                package.uses = built_with.map(|dep| dep.pkg.clone()).collect();
            }
        }
        Self { crates }
    }

    /// The shortest way from a crate to one that `forbidden` names, as names; the first is the crate itself.
    fn way(&self, from: &str, forbidden: &dyn Fn(&Crate) -> bool) -> Option<Vec<String>> {
        let mut came: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = VecDeque::from([from]);
        while let Some(id) = queue.pop_front() {
            let here = self.crates.get(id)?;
            if id != from && forbidden(here) {
                let mut ids = vec![id];
                while let Some(before) = ids.last().and_then(|last| came.get(last)) {
                    ids.push(before);
                }
                return Some(ids.iter().rev().map(|id| self.crates[*id].name.clone()).collect());
            }
            for next in &here.uses {
                if next != from && !came.contains_key(next.as_str()) {
                    came.insert(next, id);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

/// The rules of DESIGN's "Invariants".
pub fn check(graph: &Graph, tree: &Tree) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (id, member) in &graph.crates {
        let Some(folder) = &member.folder else { continue };
        let name = member.name.as_str();
        let mut refuse = |forbidden: &dyn Fn(&Crate) -> bool, why: &str| {
            if let Some(way) = graph.way(id, forbidden) {
                let manifest = format!("{folder}/Cargo.toml");
                let line = line_of(tree, &manifest, &way[1]);
                offences.push(Offence::new(&manifest, line, format!("{}: {why}", way.join(" -> "))));
            }
        };
        let one_of = |names: &'static [&'static str]| move |package: &Crate| names.contains(&package.name.as_str());
        let plugin = folder.starts_with("plugins/") || folder.starts_with("tests/plugins/");
        if plugin {
            refuse(&one_of(&rules::HIDDEN_FROM_PLUGINS), "plugins never see runner or store");
            continue;
        }
        let is_plugin = |package: &Crate| package.folder.as_ref().is_some_and(|folder| folder.starts_with("plugins/"));
        refuse(&is_plugin, "the host depends on no plugin");
        if rules::WITHOUT_TORCH.contains(&name) {
            refuse(&one_of(&rules::TORCH), "this crate works where libtorch is missing");
            refuse(&one_of(&["abi_stable"]), "the plugin edge stays in api, sdk, engine and plugins");
        } else if name == rules::API {
            let uses = graph.crates[id].uses.iter().map(|used| graph.crates[used].name.as_str());
            let strange: Vec<&str> = uses.filter(|used| !rules::OF_API.contains(used)).collect();
            refuse(&|package| strange.contains(&package.name.as_str()), "the edge depends on nothing but abi_stable");
        } else if rules::WITH_TORCH.contains(&name) {
            refuse(&one_of(&rules::HIDDEN_FROM_PLUGINS), "what computes never sees runner or store");
        } else {
            let message = format!("`{name}` is on no list: say in xtask's rules whether it may see libtorch");
            offences.push(Offence::new(&format!("{folder}/Cargo.toml"), 1, message));
        }
    }
    offences
}

/// Line of a manifest on which the dependency is named.
fn line_of(tree: &Tree, manifest: &str, dependency: &str) -> usize {
    let text = tree.file(manifest).map_or("", |file| file.text.as_str());
    let named = |line: &str| line.trim_start().strip_prefix(dependency).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    text.lines().position(named).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cargo::{Dependency, DependencyKind, Node, Package, Resolve},
        tidy::tree::made_up,
    };

    /// (crate, its folder or "" for a foreign one, what it uses; `dev:` before a name makes it a dev-dependency).
    fn graph(crates: &[(&str, &str, &[&str])]) -> Graph {
        let root = Path::new("/repository");
        let package = |(name, folder, _): &(&str, &str, &[&str])| Package {
            id: (*name).to_owned(),
            name: (*name).to_owned(),
            version: "0.1.0".into(),
            manifest_path: if folder.is_empty() { Path::new("/registry").join(name) } else { root.join(folder) }
                .join("Cargo.toml"),
            targets: Vec::new(),
        };
        let dependency = |text: &&str| match text.strip_prefix("dev:") {
            Some(name) => Dependency { pkg: name.into(), dep_kinds: vec![DependencyKind { kind: Some("dev".into()) }] },
            None => Dependency { pkg: (*text).into(), dep_kinds: vec![DependencyKind { kind: None }] },
        };
        let node =
            |(name, _, uses): &(&str, &str, &[&str])| Node { id: (*name).into(), deps: uses.iter().map(dependency).collect() };
        let metadata = Metadata {
            packages: crates.iter().map(package).collect(),
            workspace_members: crates.iter().filter(|c| !c.1.is_empty()).map(|c| c.0.to_owned()).collect(),
            target_directory: "/target".into(),
            resolve: Some(Resolve { nodes: crates.iter().map(node).collect() }),
        };
        Graph::new(root, &metadata)
    }

    #[test]
    fn a_clean_graph() {
        let clean = graph(&[
            ("abi_stable", "", &[]),
            ("tch", "", &["torch-sys"]),
            ("torch-sys", "", &[]),
            ("clmbench-api", "harness/api", &["abi_stable"]),
            ("clmbench-sdk", "harness/sdk", &["clmbench-api", "tch"]),
            ("clmbench-store", "harness/store", &["dev:tch"]),
            ("clmbench", "harness/cli", &["clmbench-store"]),
            ("clmbench-plugin-a", "plugins/metrics/a", &["clmbench-sdk", "tch"]),
        ]);
        assert_eq!(check(&clean, &made_up(&[])), []);
    }

    #[test]
    fn each_broken_rule_shows_the_way() {
        let broken = graph(&[
            ("abi_stable", "", &[]),
            ("serde", "", &[]),
            ("tch", "", &["torch-sys"]),
            ("torch-sys", "", &[]),
            ("clmbench-api", "harness/api", &["abi_stable", "serde"]),
            ("clmbench-stats", "harness/stats", &["middle"]),
            ("middle", "", &["torch-sys"]),
            ("clmbench-store", "harness/store", &["abi_stable"]),
            ("clmbench-engine", "harness/engine", &["clmbench-plugin-a"]),
            ("clmbench-plugin-a", "plugins/metrics/a", &["clmbench-store"]),
            ("clmbench-new", "harness/new", &[]),
        ]);
        let tree = made_up(&[("harness/stats/Cargo.toml", "[dependencies]\nmid = 1\nmiddle.workspace = true\n")]);
        let mut found: Vec<String> = check(&broken, &tree).iter().map(ToString::to_string).collect();
        found.sort();
        let starts = [
            "harness/api/Cargo.toml:1: clmbench-api -> serde: ",
            "harness/engine/Cargo.toml:1: clmbench-engine -> clmbench-plugin-a -> clmbench-store: ",
            "harness/engine/Cargo.toml:1: clmbench-engine -> clmbench-plugin-a: ",
            "harness/new/Cargo.toml:1: `clmbench-new` is on no list",
            "harness/stats/Cargo.toml:3: clmbench-stats -> middle -> torch-sys: ",
            "harness/store/Cargo.toml:1: clmbench-store -> abi_stable: ",
            "plugins/metrics/a/Cargo.toml:1: clmbench-plugin-a -> clmbench-store: ",
        ];
        assert_eq!(found.len(), starts.len(), "{found:#?}");
        for (line, start) in found.iter().zip(starts) {
            assert!(line.starts_with(start), "{line}\n{start}");
        }
    }
}
