//! Names of the files that are taken, and how large each may be.

/// Names that are taken from a folder or a hub. Weights also lie in shards, [`is_shard`].
pub const ALLOWED: [&str; 10] = [
    "added_tokens.json",
    "config.json",
    "merges.txt",
    "model.safetensors",
    "model.safetensors.index.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
];

/// Most shards of one checkpoint.
pub const MOST_SHARDS: usize = 1_000;

const MIB: u64 = 1 << 20;

/// Whether a file of this name is taken: one of [`ALLOWED`], or a shard. Never a path, never anything that could be run.
pub fn is_allowed(name: &str) -> bool {
    ALLOWED.contains(&name) || is_shard(name)
}

/// Whether this is the name of a shard: `model-00001-of-00002.safetensors`, numbered from 1.
pub fn is_shard(name: &str) -> bool {
    let numbers = name.strip_prefix("model-").and_then(|rest| rest.strip_suffix(".safetensors"));
    let Some((number, of)) = numbers.and_then(|rest| rest.split_once("-of-")) else { return false };
    let read =
        |digits: &str| (digits.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok());
    match (read(number).flatten(), read(of).flatten()) {
        (Some(number), Some(of)) => (1_usize..=of).contains(&number),
        _ => false,
    }
}

/// Largest size in bytes of a file of this name; none for weights, whose header says how long they are.
pub fn limit(name: &str) -> Option<u64> {
    match name {
        "config.json" | "special_tokens_map.json" => Some(MIB),
        "added_tokens.json" | "tokenizer_config.json" => Some(4 * MIB),
        "merges.txt" | "model.safetensors.index.json" | "vocab.json" | "vocab.txt" => Some(16 * MIB),
        "tokenizer.json" => Some(64 * MIB),
        _ => None,
    }
}

/// Whether a file of this name holds weights in a form that runs code when it is read (Python's pickle), or in that of another library.
pub fn is_unsafe_weights(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack"];
    ends.iter().any(|end| name.ends_with(end)) && name != "training_args.bin"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_never_paths() {
        for name in ALLOWED.iter().chain(&["model-00001-of-00001.safetensors", "model-00002-of-00030.safetensors"]) {
            assert!(is_allowed(name), "{name}");
        }
        let refused = [
            "",
            ".",
            "..",
            "/config.json",
            "../config.json",
            "a/config.json",
            "config.json/",
            "Config.json",
            "config.json\0",
            "config.json ",
            "modeling_x.py",
            "pytorch_model.bin",
            "model-00000-of-00001.safetensors",
            "model-00002-of-00001.safetensors",
            "model-1-of-2.safetensors",
            "model-00001-of-0000٢.safetensors",
            "model-00001-of-00002.safetensors.index.json",
            "model-+0001-of-00002.safetensors",
            "x/model-00001-of-00001.safetensors",
            "model-00001-of-00001-of-00001.safetensors",
            "adapter_model.safetensors",
        ];
        for name in refused {
            assert!(!is_allowed(name), "{name}");
        }
    }

    #[test]
    fn pickle_is_told_by_its_name() {
        assert!(["pytorch_model.bin", "a.PT", "model.ckpt", "x.pkl", "tf_model.h5"].iter().all(|name| is_unsafe_weights(name)));
        assert!(!["model.safetensors", "training_args.bin", "vocab.txt"].iter().any(|name| is_unsafe_weights(name)));
    }

    #[test]
    fn every_text_file_has_a_limit() {
        for name in ALLOWED.iter().filter(|name| **name != "model.safetensors") {
            assert!(limit(name).is_some(), "{name}");
        }
    }
}
