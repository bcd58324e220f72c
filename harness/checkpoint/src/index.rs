//! All weights of a folder: of its one file, or of the shards that `model.safetensors.index.json` names.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_protocol::checkpoint_files as names;
use serde_json::Value;

use crate::{
    error::{CheckpointError, shown},
    folder::Folder,
    header::{MOST_TENSORS, TensorInfo, header_of},
    json,
};

const INDEX: &str = "model.safetensors.index.json";

impl Folder {
    /// Every tensor of the folder, sorted by name. Reads headers only. `model.safetensors` goes before an index, as in `transformers`.
    ///
    /// # Errors
    /// [`CheckpointError::Header`] for a file that is not sound; [`CheckpointError::Index`] if index and shards do not have the same names, name a file
    /// that is no shard, or are not whole; [`CheckpointError::Json`] for an index that cannot be read.
    pub fn weights(&self) -> Result<Vec<TensorInfo>, CheckpointError> {
        if let Some(path) = self.path("model.safetensors") {
            return header_of(path, "model.safetensors");
        }
        let Some(index) = self.object(INDEX)? else {
            return Err(self.missing(INDEX, "shards lie there without it: copy it from where they come from"));
        };
        let map = named(&index)?;
        let shards: BTreeSet<&String> = map.values().collect();
        if shards.len() > names::MOST_SHARDS {
            return Err(wrong(format!("it names {} shards, more than {}", shards.len(), names::MOST_SHARDS)));
        }
        let mut found = Vec::new();
        for shard in shards {
            let path = self.path(shard).ok_or_else(|| wrong(format!("`{shard}` is not in the folder")))?;
            for tensor in header_of(path, shard)? {
                match map.get(&tensor.name) {
                    Some(named) if named == shard => found.push(tensor),
                    Some(named) => {
                        return Err(wrong(format!("`{}` is in `{shard}`, and should be in `{named}`", shown(&tensor.name))));
                    }
                    None => return Err(wrong(format!("`{}` of `{shard}` is not in the index", shown(&tensor.name)))),
                }
            }
            if found.len() > MOST_TENSORS {
                return Err(wrong(format!("more than {MOST_TENSORS} tensors")));
            }
        }
        if found.len() < map.len() {
            let there: BTreeSet<&str> = found.iter().map(|tensor| tensor.name.as_str()).collect();
            let lost = map.iter().find(|(name, _)| !there.contains(name.as_str()));
            let (name, shard) = lost.map_or(("?", "?"), |(name, shard)| (name.as_str(), shard.as_str()));
            return Err(wrong(format!("`{}` is not in `{shard}`", shown(name))));
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }
}

/// `weight_map`: name of the tensor, name of the shard.
fn named(index: &serde_json::Map<String, Value>) -> Result<BTreeMap<String, String>, CheckpointError> {
    let field = |value: Option<&Value>| CheckpointError::Field {
        file: INDEX.into(),
        field: "weight_map".into(),
        is: value.map_or_else(|| "absent".into(), json::kind),
        needed: "an object of names of tensors and names of shards",
    };
    let Some(Value::Object(map)) = index.get("weight_map") else { return Err(field(index.get("weight_map"))) };
    let mut named = BTreeMap::new();
    for (name, shard) in map {
        let Value::String(shard) = shard else { return Err(field(Some(shard))) };
        if !names::is_shard(shard) {
            return Err(wrong(format!("`{}` is no name of a shard such as model-00001-of-00002.safetensors", shown(shard))));
        }
        named.insert(name.clone(), shard.clone());
    }
    if named.is_empty() { Err(wrong("it names no tensor".into())) } else { Ok(named) }
}

fn wrong(what: String) -> CheckpointError {
    CheckpointError::Index { what }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{collections::HashMap, fs, path::Path};

    use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

    use super::*;

    const FIRST: &str = "model-00001-of-00002.safetensors";
    const SECOND: &str = "model-00002-of-00002.safetensors";

    fn write(folder: &Path, name: &str, tensors: &[&str]) {
        let tensors = tensors.iter().map(|name| (*name, TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap()));
        serialize_to_file(tensors.collect::<HashMap<_, _>>(), None, &folder.join(name)).unwrap();
    }

    fn weights(index: &str) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.json"), "{}").unwrap();
        fs::write(folder.path().join(INDEX), index).unwrap();
        write(folder.path(), FIRST, &["b", "c"]);
        write(folder.path(), SECOND, &["a"]);
        let found = Folder::open(folder.path()).unwrap().weights().map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(|tensor| tensor.name).collect())
    }

    #[test]
    fn shards_are_one() {
        let index = format!(r#"{{"metadata": {{}}, "weight_map": {{"a": "{SECOND}", "b": "{FIRST}", "c": "{FIRST}"}}}}"#);
        assert_eq!(weights(&index).unwrap(), ["a", "b", "c"]);
    }

    #[test]
    fn index_and_shards_must_agree() {
        let start = "`model.safetensors.index.json` does not agree with its shards: ";
        let end = "; download the folder again";
        let cases = [
            (
                format!(r#"{{"a": "{FIRST}", "b": "{FIRST}", "c": "{FIRST}"}}"#),
                "`a` is not in `model-00001-of-00002.safetensors`",
            ),
            (format!(r#"{{"a": "{SECOND}", "b": "{FIRST}"}}"#), "`c` of `model-00001-of-00002.safetensors` is not in the index"),
            (
                format!(r#"{{"a": "{SECOND}", "b": "{SECOND}", "c": "{FIRST}"}}"#),
                "`b` is in `model-00001-of-00002.safetensors`, and should be in `model-00002-of-00002.safetensors`",
            ),
            (
                r#"{"a": "../../etc/passwd"}"#.into(),
                "`../../etc/passwd` is no name of a shard such as model-00001-of-00002.safetensors",
            ),
            (r#"{"a": "model-00001-of-00009.safetensors"}"#.into(), "`model-00001-of-00009.safetensors` is not in the folder"),
            ("{}".into(), "it names no tensor"),
        ];
        for (map, wanted) in cases {
            assert_eq!(weights(&format!(r#"{{"weight_map": {map}}}"#)).unwrap_err(), format!("{start}{wanted}{end}"));
        }
        let field = "`model.safetensors.index.json`: field `weight_map` is absent, but must be an object of names of tensors and names of shards";
        assert_eq!(weights("{}").unwrap_err(), field);
        assert!(weights(r#"{"weight_map": {"a": 1}}"#).unwrap_err().contains("is `1`, but must be"));
    }
}
