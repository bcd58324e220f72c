//! What can be wrong with a checkpoint of others.

use std::path::{Path, PathBuf};

use clmbench_protocol::checkpoint_files::Unread;

/// Why a checkpoint, or a part of it, is refused. Every message names the file, what is wrong in it and the next step. Text of the files in
/// it is shortened and has its control characters escaped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The system says no.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not a folder.
    #[error("{} is no folder; a checkpoint is a folder with config.json, model.safetensors and a tokenizer", .0.display())]
    NoFolder(PathBuf),
    /// A folder, pipe, device or dead link under the name of a file.
    #[error("`{file}` is {what}; only regular files are read: put a copy of the file in its place")]
    NotAFile {
        /// Name.
        file: String,
        /// What it is.
        what: &'static str,
    },
    /// A name that is not taken.
    #[error("`{file}` is no file of a checkpoint; taken are {}, and shards such as model-00001-of-00002.safetensors", crate::ALLOWED.join(", "))]
    Name {
        /// Name.
        file: String,
    },
    /// More bytes than a file of this kind may have.
    #[error(
        "`{file}` has {bytes} bytes, more than the {limit} that are read of such a file; a file of a checkpoint is smaller, so look what it is"
    )]
    TooLarge {
        /// Name.
        file: String,
        /// Size.
        bytes: u64,
        /// Limit.
        limit: u64,
    },
    /// A file that must be there.
    #[error("{folder} has no `{file}`; {next}")]
    Missing {
        /// Where.
        folder: String,
        /// Name.
        file: &'static str,
        /// What to do.
        next: &'static str,
    },
    /// Weights in a form that is not read, such as one that runs code when read.
    #[error(
        "`{file}` is not read: {}. Convert it once with the `transformers` package, where you trust it:\n    \
         model = AutoModel.from_pretrained(FOLDER{})  # or the class of its head, such as AutoModelForMaskedLM\n    \
         model.save_pretrained(FOLDER, safe_serialization=True)",
        why(*form), form.option()
    )]
    Unread {
        /// Name.
        file: String,
        /// Its form.
        form: Unread,
    },
    /// Text that is no JSON, or not as JSON should be.
    #[error("`{file}` is not readable: {what}; download or save it again")]
    Json {
        /// Name.
        file: String,
        /// Where and what.
        what: String,
    },
    /// A field that is absent or of another kind than needed.
    #[error("`{file}`: field `{field}` is {is}, but must be {needed}")]
    Field {
        /// Name of the file.
        file: String,
        /// Name of the field.
        field: String,
        /// What it is.
        is: String,
        /// What is needed.
        needed: &'static str,
    },
    /// A safetensors header that does not agree with itself or its file.
    #[error(
        "`{file}` is no sound safetensors file: {what}; download it again, or save it again with `save_pretrained(..., safe_serialization=True)`"
    )]
    Header {
        /// Name of the file.
        file: String,
        /// What does not agree.
        what: String,
    },
    /// An index that does not agree with its shards.
    #[error("`model.safetensors.index.json` does not agree with its shards: {what}; download the folder again")]
    Index {
        /// What does not agree.
        what: String,
    },
    /// Weights that are not those of the architecture.
    #[error("{}", crate::match_up::told(missing, unexpected, misshaped, doubled))]
    Weights {
        /// Parameters that the files lack.
        missing: Vec<String>,
        /// Tensors that the model has no use for.
        unexpected: Vec<String>,
        /// Tensors of another shape or number format, with what they have and what is needed.
        misshaped: Vec<String>,
        /// Parameters with several tensors, with their names.
        doubled: Vec<String>,
    },
    /// A number format that is not read.
    #[error("tensor `{tensor}` holds {dtype} values; F32, F16, BF16 and F64 are read: save the model in one of them")]
    Dtype {
        /// Tensor.
        tensor: String,
        /// Its number format.
        dtype: &'static str,
    },
    /// More memory than there is.
    #[error("tensor `{tensor}` has {bytes} bytes, for which there is no memory")]
    Memory {
        /// Tensor.
        tensor: String,
        /// Size as 32-bit numbers.
        bytes: u64,
    },
    /// A tokenizer that cannot be used.
    #[error("the tokenizer in `{file}` cannot be used: {what}")]
    Tokenizer {
        /// Name of the file.
        file: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// A tokenizer that takes too long.
    #[error(
        "the tokenizer is too slow: {what}; its regular expressions or its normaliser need an end, so save the folder with another tokenizer.json"
    )]
    Slow {
        /// On what, and how long.
        what: String,
    },
    /// A regular expression that gives up, which the tokenizers library takes for "no match".
    #[error(
        "a regular expression of the tokenizer gives up on {text}: {what}; tokens from there on would be wrong, so it is refused: save the folder with another tokenizer.json"
    )]
    GaveUp {
        /// The molecule, shortened.
        text: String,
        /// The expression and what the library says.
        what: String,
    },
    /// A molecule that the tokenizer refuses.
    #[error("the tokenizer refuses {text}: {what}")]
    Refused {
        /// The molecule, shortened.
        text: String,
        /// What it says.
        what: String,
    },
}

impl CheckpointError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn header(file: &str, what: impl Into<String>) -> Self {
        Self::Header { file: file.into(), what: what.into() }
    }

    pub(crate) fn tokenizer(file: &str, what: impl Into<String>) -> Self {
        Self::Tokenizer { file: file.into(), what: what.into() }
    }
}

/// Why weights of a form are not read.
fn why(form: Unread) -> &'static str {
    match form {
        Unread::Pickle => "pickle can run any code when it is opened",
        Unread::TensorFlow => "it holds weights as the TensorFlow library has them (version 4 of `transformers` reads them)",
        Unread::Flax => "it holds weights as the Flax library has them (version 4 of `transformers` reads them)",
    }
}

/// Foreign text for a message: shortened, what could steer a terminal escaped.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 120;
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
            shown.push('…');
            break;
        }
        if clmbench_protocol::is_unsafe_to_show(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
