//! The fixed vocabulary of the SMILES tokenizer, made by a rule and never from data.
//!
//! A vocabulary learned from a corpus cannot spell molecules that the corpus does not show; this one can spell nearly every
//! molecule in canonical form, so that all corpora and all tasks share one tokenizer. The rule, in the order of the ids:
//!
//! 1. the special tokens [`SPECIAL`];
//! 2. the atoms that need no brackets ([`ORGANIC`], [`AROMATIC_ORGANIC`]), bonds, branches and the other signs ([`SIGNS`]);
//! 3. ring closures `0` to `9` and `%10` to `%99`;
//! 4. bracket atoms without hydrogens: elements 1 to 103, charge -4 to +4;
//! 5. bracket atoms with 1 to 4 hydrogens: main-group elements ([`MAIN_GROUP`]), charge -2 to +2;
//! 6. tetrahedral centres (`@`, `@@`): [`CENTRES`], 0 or 1 hydrogen, charge -1 to +1;
//! 7. aromatic bracket atoms: [`AROMATIC`], 0 or 1 hydrogen, charge -1 to +1;
//! 8. isotopes that molecules are labelled with ([`LABELS`]), neutral, 0 to 3 hydrogens where the element bears them.
//!
//! Everything else (atom maps, other isotopes, non-tetrahedral centres) is `[UNK]`.

/// Special tokens; their place is their id.
pub const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
/// Id of the padding token.
pub const PAD: u16 = 0;
/// Id of the token for everything outside the vocabulary.
pub const UNKNOWN: u16 = 1;
/// Id of the token that starts a molecule.
pub const START: u16 = 2;
/// Id of the token that ends a molecule.
pub const END: u16 = 3;
/// Id of the mask token.
pub const MASK: u16 = 4;

/// Elements written without brackets.
pub const ORGANIC: [&str; 10] = ["B", "C", "N", "O", "P", "S", "F", "Cl", "Br", "I"];
/// Aromatic atoms written without brackets.
pub const AROMATIC_ORGANIC: [&str; 6] = ["b", "c", "n", "o", "s", "p"];
/// Branches, bonds, dot, wildcard and the other signs that the regex knows.
pub const SIGNS: [&str; 16] = ["(", ")", ".", "=", "#", "-", "+", "\\", "/", ":", "~", "@", "?", ">", "*", "$"];
/// Main-group elements, which bear hydrogens.
pub const MAIN_GROUP: [&str; 32] = [
    "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Ge", "As", "Se", "Br", "Sn", "Sb", "Te", "I", "Li", "Na", "K", "Rb", "Cs",
    "Be", "Mg", "Ca", "Sr", "Ba", "Al", "Ga", "In", "Tl", "Pb",
];
/// Elements that are tetrahedral centres.
pub const CENTRES: [&str; 12] = ["C", "N", "S", "P", "Si", "B", "Se", "As", "Ge", "Sn", "Sb", "Te"];
/// Elements that OpenSMILES lets be aromatic, and boron, silicon and tellurium, which RDKit does too.
pub const AROMATIC: [&str; 10] = ["n", "c", "o", "s", "p", "b", "se", "te", "as", "si"];
/// Isotopes used to label molecules: (mass number, element).
pub const LABELS: [(u16, &str); 20] = [
    (2, "H"),
    (3, "H"),
    (11, "C"),
    (13, "C"),
    (14, "C"),
    (13, "N"),
    (15, "N"),
    (15, "O"),
    (17, "O"),
    (18, "O"),
    (18, "F"),
    (32, "P"),
    (33, "P"),
    (35, "S"),
    (76, "Br"),
    (77, "Br"),
    (123, "I"),
    (124, "I"),
    (125, "I"),
    (131, "I"),
];
/// Symbols of elements 1 to 103.
const ELEMENTS: &str = "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc \
    Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac \
    Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr";

/// All tokens; the place of a token is its id.
pub fn vocabulary() -> Vec<String> {
    let mut tokens: Vec<String> =
        SPECIAL.iter().chain(&ORGANIC).chain(&AROMATIC_ORGANIC).chain(&SIGNS).map(|text| (*text).to_owned()).collect();
    tokens.extend((0..10).map(|ring| ring.to_string()));
    tokens.extend((10..100).map(|ring| format!("%{ring}")));
    for element in ELEMENTS.split_whitespace() {
        tokens.extend((-4..=4).map(|charge| bracket("", element, "", 0, charge)));
    }
    for element in MAIN_GROUP {
        for hydrogens in 1..=4 {
            tokens.extend((-2..=2).map(|charge| bracket("", element, "", hydrogens, charge)));
        }
    }
    for element in CENTRES {
        for chirality in ["@", "@@"] {
            for hydrogens in 0..=1 {
                tokens.extend((-1..=1).map(|charge| bracket("", element, chirality, hydrogens, charge)));
            }
        }
    }
    for element in AROMATIC {
        for hydrogens in 0..=1 {
            tokens.extend((-1..=1).map(|charge| bracket("", element, "", hydrogens, charge)));
        }
    }
    for (mass, element) in LABELS {
        let most = if ["C", "N", "O", "P", "S"].contains(&element) { 3 } else { 0 };
        tokens.extend((0..=most).map(|hydrogens| bracket(&mass.to_string(), element, "", hydrogens, 0)));
    }
    tokens
}

/// A bracket atom in canonical spelling, such as `[C@@H]`, `[NH3+]` or `[Zn+2]`.
fn bracket(mass: &str, element: &str, chirality: &str, hydrogens: u8, charge: i8) -> String {
    let hydrogens = match hydrogens {
        0 => String::new(),
        1 => "H".to_owned(),
        more => format!("H{more}"),
    };
    let charge = match charge {
        0 => String::new(),
        1 => "+".to_owned(),
        -1 => "-".to_owned(),
        other => format!("{other:+}"),
    };
    format!("[{mass}{element}{chirality}{hydrogens}{charge}]")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_token_is_there_once_and_fits() {
        let tokens = vocabulary();
        let distinct: HashSet<&String> = tokens.iter().collect();
        assert_eq!(distinct.len(), tokens.len());
        assert!(tokens.len() < 3_000, "{}", tokens.len());
        for (id, text) in SPECIAL.iter().enumerate() {
            assert_eq!(&tokens[id], text);
        }
        assert_eq!(ELEMENTS.split_whitespace().count(), 103);
        for text in [
            "[C@@H]", "[nH]", "[O-]", "[N+]", "[NH3+]", "[Zn+2]", "[Cu-3]", "[NaH]", "[se]", "[2H]", "[11CH3]", "%10", "\\",
            "[PbH2+2]",
        ] {
            assert!(distinct.contains(&text.to_owned()), "{text}");
        }
    }
}
