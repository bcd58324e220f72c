//! Names of the files that are taken of a checkpoint of others, from a folder and from a hub alike, and how large each may be.

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
        // Ids end at 65,534, so that a vocabulary of this size is one that is refused for its ids.
        "merges.txt" | "model.safetensors.index.json" | "tokenizer.json" | "vocab.json" | "vocab.txt" => Some(16 * MIB),
        _ => None,
    }
}

/// A form of weights that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unread {
    /// Python's, which can run code when it is read.
    Pickle,
    /// That of the TensorFlow library.
    TensorFlow,
    /// That of the Flax library.
    Flax,
}

impl Unread {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pickle => "pickle",
            Self::TensorFlow => "TensorFlow",
            Self::Flax => "Flax",
        }
    }

    /// What `from_pretrained` needs besides the folder to read it.
    pub fn option(self) -> &'static str {
        match self {
            Self::Pickle => "",
            Self::TensorFlow => ", from_tf=True",
            Self::Flax => ", from_flax=True",
        }
    }
}

/// The form of the weights in a file of this name, where it is one that is not read.
pub fn unread(name: &str) -> Option<Unread> {
    let name = name.to_ascii_lowercase();
    let ends = |list: &[&str]| list.iter().any(|end| name.ends_with(end));
    match () {
        () if name == "training_args.bin" => None,
        () if ends(&[".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"]) => Some(Unread::Pickle),
        () if ends(&[".h5"]) => Some(Unread::TensorFlow),
        () if ends(&[".msgpack"]) => Some(Unread::Flax),
        () => None,
    }
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
    fn weights_that_are_not_read_are_told_by_their_name() {
        assert!(["pytorch_model.bin", "a.PT", "model.ckpt", "x.pkl"].iter().all(|name| unread(name) == Some(Unread::Pickle)));
        assert_eq!((unread("tf_model.h5"), unread("flax_model.msgpack")), (Some(Unread::TensorFlow), Some(Unread::Flax)));
        assert!(["model.safetensors", "training_args.bin", "vocab.txt"].iter().all(|name| unread(name).is_none()));
    }

    #[test]
    fn every_text_file_has_a_limit() {
        for name in ALLOWED.iter().filter(|name| **name != "model.safetensors") {
            assert!(limit(name).is_some(), "{name}");
        }
    }
}
