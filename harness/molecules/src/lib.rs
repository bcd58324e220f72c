//! Everything that understands a molecule: SMILES tokenizer, canonical SMILES, scaffold splits, corpora, token caches. No libtorch.
