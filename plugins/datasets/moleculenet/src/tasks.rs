//! Names of the label columns of sets with many, as MoleculeNet calls them, and their units.

use crate::set::Task;

/// Tasks whose labels are classes.
pub fn classes(names: &[&'static str]) -> Vec<Task> {
    names.iter().map(|name| Task { name, unit: "" }).collect()
}

/// The 617 assays of ToxCast.
pub fn toxcast() -> Vec<Task> {
    include_str!("toxcast_tasks.txt").lines().map(|name| Task { name, unit: "" }).collect()
}

/// The screens of MUV, by their numbers in PubChem.
pub const MUV: [&str; 17] = [
    "MUV-466", "MUV-548", "MUV-600", "MUV-644", "MUV-652", "MUV-689", "MUV-692", "MUV-712", "MUV-713", "MUV-733", "MUV-737",
    "MUV-810", "MUV-832", "MUV-846", "MUV-852", "MUV-858", "MUV-859",
];

/// The assays of Tox21: nuclear receptors (NR) and stress responses (SR).
pub const TOX21: [&str; 12] = [
    "NR-AR",
    "NR-AR-LBD",
    "NR-AhR",
    "NR-Aromatase",
    "NR-ER",
    "NR-ER-LBD",
    "NR-PPAR-gamma",
    "SR-ARE",
    "SR-ATAD5",
    "SR-HSE",
    "SR-MMP",
    "SR-p53",
];

/// The classes of organs of SIDER.
pub const SIDER: [&str; 27] = [
    "Hepatobiliary disorders",
    "Metabolism and nutrition disorders",
    "Product issues",
    "Eye disorders",
    "Investigations",
    "Musculoskeletal and connective tissue disorders",
    "Gastrointestinal disorders",
    "Social circumstances",
    "Immune system disorders",
    "Reproductive system and breast disorders",
    "Neoplasms benign, malignant and unspecified (incl cysts and polyps)",
    "General disorders and administration site conditions",
    "Endocrine disorders",
    "Surgical and medical procedures",
    "Vascular disorders",
    "Blood and lymphatic system disorders",
    "Skin and subcutaneous tissue disorders",
    "Congenital, familial and genetic disorders",
    "Infections and infestations",
    "Respiratory, thoracic and mediastinal disorders",
    "Psychiatric disorders",
    "Renal and urinary disorders",
    "Pregnancy, puerperium and perinatal conditions",
    "Ear and labyrinth disorders",
    "Cardiac disorders",
    "Nervous system disorders",
    "Injury, poisoning and procedural complications",
];

/// Energies (E) and oscillator strengths (f) of the first and second excitation by CC2, PBE0 in two basis sets, and CAM-B3LYP. The
/// header of the file has the names of PBE0 twice.
pub const QM8: [Task; 16] = [
    energy("E1-CC2"),
    energy("E2-CC2"),
    strength("f1-CC2"),
    strength("f2-CC2"),
    energy("E1-PBE0"),
    energy("E2-PBE0"),
    strength("f1-PBE0"),
    strength("f2-PBE0"),
    energy("E1-PBE0.1"),
    energy("E2-PBE0.1"),
    strength("f1-PBE0.1"),
    strength("f2-PBE0.1"),
    energy("E1-CAM"),
    energy("E2-CAM"),
    strength("f1-CAM"),
    strength("f2-CAM"),
];

/// Dipole moment, polarisability, orbital energies and their gap, spatial extent, zero-point energy, heat capacity, energies.
pub const QM9: [Task; 12] = [
    Task { name: "mu", unit: "D" },
    Task { name: "alpha", unit: "bohr^3" },
    energy("homo"),
    energy("lumo"),
    energy("gap"),
    Task { name: "r2", unit: "bohr^2" },
    energy("zpve"),
    Task { name: "cv", unit: "cal/(mol K)" },
    energy("u0"),
    energy("u298"),
    energy("h298"),
    energy("g298"),
];

const fn energy(name: &'static str) -> Task {
    Task { name, unit: "hartree" }
}

const fn strength(name: &'static str) -> Task {
    Task { name, unit: "oscillator strength" }
}
