//! The sets: what each is, and which bytes it is read from.

use clmbench_sdk::prelude::*;

/// One set: the potencies of molecules on one target, Ki or EC50.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set {
    /// Name in suites and, with `.csv`, of the file: the target's ChEMBL id and what was measured.
    pub name: &'static str,
    /// The target, as MoleculeACE's authors name that ChEMBL id.
    pub target: &'static str,
    /// Molecules, those for testing, those at activity cliffs, and those at cliffs for testing.
    pub counts: [usize; 4],
    /// Size of the file in bytes.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: &'static str,
    /// SHA-256 of the normalised CSV `smiles,y,cliff` that the file gives.
    pub sha256_csv: &'static str,
    /// SHA-256 of the parts, `train` or `test`, one a line (LF).
    pub sha256_split: &'static str,
}

/// The 30 sets, by the names of their files.
pub const SETS: [Set; 30] = [
    Set {
        name: "CHEMBL1862_Ki",
        target: "tyrosine-protein kinase ABL1",
        counts: [794, 161, 330, 67],
        bytes: 62_007,
        sha256: "72a750426976bf5c17ca9129e86dff20962332f92a8ce16028d9fbcf152ca412",
        sha256_csv: "a10e89f4de7e80a3b0171d9bccbc73b1402ddd19ae01b16cbc9df6b82242aaac",
        sha256_split: "2cc5e7b916c20208aa9a407ccc532b976af008f8c5045fd0f7ab12e14c137e1d",
    },
    Set {
        name: "CHEMBL1871_Ki",
        target: "the androgen receptor",
        counts: [659, 134, 162, 32],
        bytes: 69_167,
        sha256: "62d05aa76d096fd5bd3575dcfd30dcab24873dc010de47b478b6617fbd95985e",
        sha256_csv: "dfb6276efab9efa17c8a7c326611aba5daf9f2cd88f81c4233e1d06851097b23",
        sha256_split: "7c10e6a956db55e42c56bbb4c494f37d713f03e93e6d57ac6cfbc8580b3f69a7",
    },
    Set {
        name: "CHEMBL2034_Ki",
        target: "the glucocorticoid receptor",
        counts: [750, 152, 251, 52],
        bytes: 72_685,
        sha256: "476668f39aae0e29a1ab8fa83a7087b179dc705b68cdc060c9958a0eed2048d4",
        sha256_csv: "3d03bba18e9bc7c41fe07c2eeb52cd116b2576f27b74c7f4ea664d7d1ab0984e",
        sha256_split: "ffad8a3e70b2052e1e5932c46910dd3a5ccac2cc55e35c8d9adf44eea445d0df",
    },
    Set {
        name: "CHEMBL2047_EC50",
        target: "the farnesoid X (bile acid) receptor",
        counts: [631, 128, 245, 50],
        bytes: 64_375,
        sha256: "ea1bacf43377aac288840f2d2e37df7705a0d2d1f93bb52b0ce85e499e311f6e",
        sha256_csv: "39412bbc80e8bef08eb5d842228f8dfc43c10e0faf36c548097dae5546c6abf6",
        sha256_split: "68ad17aa38da66203a166ad3188aa25f2191150443cf9e166fa801e860736c77",
    },
    Set {
        name: "CHEMBL204_Ki",
        target: "thrombin",
        counts: [2_754, 553, 1_094, 220],
        bytes: 272_953,
        sha256: "6ccf17a5f1aa6322f2d68f24b923f2efb5779ff73d33035bb889bb922b18dba5",
        sha256_csv: "ea33277554f090a74fe216d86a68fd52514a897047421e280aa4651b5756968e",
        sha256_split: "178f1546fb774cbe3dabe386295f612fbd2a537413efb1749a1325ab756674ee",
    },
    Set {
        name: "CHEMBL2147_Ki",
        target: "serine/threonine-protein kinase PIM1",
        counts: [1_456, 294, 572, 116],
        bytes: 120_973,
        sha256: "5cbf4deba3e6312aff3a77ac3c70eb39a3cd58c9d8686a19a8b56c4a73377d02",
        sha256_csv: "91ae4aa942df4607cadf4d9bdc3a88d86ed9405ccb169c4fc277f0f7abae3b84",
        sha256_split: "9b52bdc1bb1985b04434b672671888553ed0865cb71eb24a3cf05ccaaff8ccfb",
    },
    Set {
        name: "CHEMBL214_Ki",
        target: "the serotonin 1a receptor (5-HT1A)",
        counts: [3_317, 666, 1_222, 245],
        bytes: 272_827,
        sha256: "68bffa3069340c51204ba23395626622559a10c3d39b1111cb9c47f9d9960962",
        sha256_csv: "8f87ca19b43ed62b0c9d4eb719dfa7f1f19af9c35847900cce5898c1d6401896",
        sha256_split: "b75fc00408981dc4da24c24ab7962398a23108bf91a63f9d393e14e70c74b821",
    },
    Set {
        name: "CHEMBL218_EC50",
        target: "the cannabinoid receptor 1 (CB1)",
        counts: [1_031, 208, 369, 76],
        bytes: 94_629,
        sha256: "9133aefc69efa92403107f78f747d4acbd370255ac0a2949cc5f86a30b5ebd11",
        sha256_csv: "e676fb5a9d5e8c7df0f5601544737345cf51327e7e0b3f2a371c3d622f451210",
        sha256_split: "e0ad544f3ddf9e2ece10655b977955d09264d5fcb1ac1fa58aa3336cc630be22",
    },
    Set {
        name: "CHEMBL219_Ki",
        target: "the dopamine D4 receptor",
        counts: [1_865, 374, 740, 148],
        bytes: 146_273,
        sha256: "f0d13b1bd8086e3fed746215b0ff8c4399518547bbba2146a0f235f1a9a59fa8",
        sha256_csv: "9b61787759b0d2aee52daef47244baec0190366cdd9ea21ca83b5bde1b70b07e",
        sha256_split: "24463b3819c8cfb07cf8af504f4e9f9bd3fd64664d20524fb8e0d0adb506ab15",
    },
    Set {
        name: "CHEMBL228_Ki",
        target: "the serotonin transporter",
        counts: [1_704, 342, 638, 127],
        bytes: 134_601,
        sha256: "17158facfdc5788e22e020e398acd3bbf99edc9d66f7b323da778cd551d9796f",
        sha256_csv: "1536638968615daf6bdc9a4f20e460e42990435b2a129778545fff57dfdb64f4",
        sha256_split: "b8f48fc0f1295614ae072426b8b4dcec3127c38dfc61a4713827392bcafb2f61",
    },
    Set {
        name: "CHEMBL231_Ki",
        target: "the histamine H1 receptor",
        counts: [973, 197, 237, 48],
        bytes: 80_139,
        sha256: "9e1c0a22c37e446d37d63e7b39d92cb022774333b4fa430e9f948b748215afb0",
        sha256_csv: "ebfb6de296614e23ab5f23adacf86be9472bb09e83088fa6a7e92605328a157e",
        sha256_split: "4a78d9fd576176b607e4433d80bec37d6500096d85adbbbdc37df07a93991063",
    },
    Set {
        name: "CHEMBL233_Ki",
        target: "the mu opioid receptor",
        counts: [3_142, 630, 1_294, 259],
        bytes: 324_641,
        sha256: "4d8aff053b3d1c12e8cc13102958bb4f3dce4ac7715452265231e5b68d1c9362",
        sha256_csv: "c384b9215c58ca177317b969e6e655f2555ee7ac1501e784e226b1abbb3d0e40",
        sha256_split: "b1c749c9ecefaca0a0c829004bcc9cce58b5de577d604a7a0057bd020bd0eb2c",
    },
    Set {
        name: "CHEMBL234_Ki",
        target: "the dopamine D3 receptor",
        counts: [3_657, 733, 1_604, 320],
        bytes: 306_725,
        sha256: "7a86fc3552953bb1ea727f4119b844ff3eadb33d7a79413b1f417cf236f5615a",
        sha256_csv: "0cf9892bcf96aabbca04034d2e5e81b81fd8e64607c014247bef034d4e64723a",
        sha256_split: "000dfdca49f6dce3353027ea49b98dfa8c3fdf391573f1143d1ebfc9b54fcb9c",
    },
    Set {
        name: "CHEMBL235_EC50",
        target: "PPAR gamma",
        counts: [2_349, 472, 885, 178],
        bytes: 211_908,
        sha256: "a99b1d18870cc4d83da5fbedfee4504f8c46bb96e71ea7964b84ae7682d4963f",
        sha256_csv: "11d96617bccb9e48d5413524afc189ec19f4df7e98614cfc54063cd9adb1fe2e",
        sha256_split: "d855af4ac7994b6f1c682d2262391f1391e97b09f12a3c135a0db95bdd69f76b",
    },
    Set {
        name: "CHEMBL236_Ki",
        target: "the delta opioid receptor",
        counts: [2_598, 521, 1_017, 204],
        bytes: 285_971,
        sha256: "28227a570694a24325a3206bee2a1623e14949d54abe13e490402fb2f5a8c74e",
        sha256_csv: "5df1f130d184fd82d42707b66e64b5227a5841459f0e2a5e38de352a80e26f3f",
        sha256_split: "9c0857b79df2faf6ed29e2a2977eb7ac595bacd210d3a2c9b0a65a6a3d956030",
    },
    Set {
        name: "CHEMBL237_EC50",
        target: "the kappa opioid receptor",
        counts: [955, 193, 456, 91],
        bytes: 104_918,
        sha256: "37dce21b9ef158ac7d3075997e58896bb0083162c9c820d1996d898dfb0701f5",
        sha256_csv: "404336777a4ab954610ed8657530bd5f4d87a6efe575f242e93bb18e5dfffa3b",
        sha256_split: "c49910a742a722b4e2394e4c52d48bc19b95ea2ad8e24ee71935c76e81f6092c",
    },
    Set {
        name: "CHEMBL237_Ki",
        target: "the kappa opioid receptor",
        counts: [2_603, 522, 1_110, 223],
        bytes: 273_953,
        sha256: "8bc5f0f4e512923d7878390f9c6336682dfd638e90d8110f44bfd3af77d605c3",
        sha256_csv: "a9418ba7150c1253edecd4f06e39455ddce1954583c577c0654ef81450660ec6",
        sha256_split: "0e726f72802fff9898b2699026d99d499f0d620f173137058e3a54b215cff659",
    },
    Set {
        name: "CHEMBL238_Ki",
        target: "the dopamine transporter",
        counts: [1_052, 213, 266, 55],
        bytes: 81_987,
        sha256: "5ca1bb99ea9123dc0369f19c1269fec3f9fc3eae3bf9a2b781419b268913761a",
        sha256_csv: "aeb10e6140dfcd7f66c613d2f4d5b5c8e2d5ea999386d1ba799f76c927522e4e",
        sha256_split: "0407776b91a978cf33be8462652682f475dd1da76bfd059d4f96d6377deecfec",
    },
    Set {
        name: "CHEMBL239_EC50",
        target: "PPAR alpha",
        counts: [1_721, 347, 699, 141],
        bytes: 151_477,
        sha256: "1985b2137bd64396ec980e8c6e1f234f6f9aa989c49a20aef71dd22bda68ed9c",
        sha256_csv: "28a48ac88269fda205a409758535447916978e8a15c3be06ccda3e9b0a7bc98b",
        sha256_split: "e1251cf7eb18f128e953f3dcd9e18ca2dd242207cb748bec2ad23ac34313936b",
    },
    Set {
        name: "CHEMBL244_Ki",
        target: "coagulation factor X",
        counts: [3_097, 621, 1_478, 296],
        bytes: 304_704,
        sha256: "aafc2e81810767397c8b5b3161b9eed3b33b6e9a827ed176336f388bef274a36",
        sha256_csv: "d3399aef32484bee2b7dab497e1c8212942d718305659e4c9848cb6758933579",
        sha256_split: "4d3ca085d666c6cfc68b93a6e51c48d709263540ee46a73d75ce8ff5a07310f0",
    },
    Set {
        name: "CHEMBL262_Ki",
        target: "glycogen synthase kinase-3 beta",
        counts: [856, 173, 160, 32],
        bytes: 66_475,
        sha256: "c438e8e18bc444890246607be107d9afb8c64012608a8a73838acad3eacfce21",
        sha256_csv: "f4d07b822144218e1a89b671ec1d4c64bf897f395c25104986689c3bd9e06b3d",
        sha256_split: "1e3c56b160a21722ebf57abd3bb231fe4a8b678dc4d67be675e874f8a2de5a0a",
    },
    Set {
        name: "CHEMBL264_Ki",
        target: "the histamine H3 receptor",
        counts: [2_862, 574, 1_191, 239],
        bytes: 223_220,
        sha256: "6b380b5cf61b6985179779a9b9d0d1d3b197773fc3df5079d8932108f75e2bbf",
        sha256_csv: "07f8b394c5325ff2ad8d2a2dae29699d2a02f412b318b28252abc4999950cb4f",
        sha256_split: "23f60a8a9fc2934f73dfeb680c291519ea77f6dc396c52ec2ba8259ad0a42837",
    },
    Set {
        name: "CHEMBL2835_Ki",
        target: "Janus kinase 1",
        counts: [615, 126, 60, 13],
        bytes: 60_214,
        sha256: "a6ff0b8c3df2c452a9210af5c3d57495846ed16978c339b463c7a4b90c73c66c",
        sha256_csv: "dbb05679979e0d33ee8a4ebaf0777457607003c4b2254c3d24fcdb3ce7b4b71d",
        sha256_split: "f5453c0fae38239a73ffce482620736a721ecd805258445c105595dde223093b",
    },
    Set {
        name: "CHEMBL287_Ki",
        target: "the sigma opioid receptor",
        counts: [1_328, 267, 507, 103],
        bytes: 97_746,
        sha256: "7f448c29138242dd64ec2a07742e33a1e186129ca4e794e287b67e5ffaea171e",
        sha256_csv: "6233d302d98784fa161049365efb866fee88ca4c9ea4e535ea487895d55e6796",
        sha256_split: "1a7b88e75f4629a2b911c803ffb6052dae4cb3a3edbcc50aea6516bafb8e5c51",
    },
    Set {
        name: "CHEMBL2971_Ki",
        target: "Janus kinase 2",
        counts: [976, 197, 162, 34],
        bytes: 88_383,
        sha256: "2fe0c20bab93c58f824fdb7f35b1c327e987b76e8403ededb0075cb7649651d3",
        sha256_csv: "f9313297797695b67ceaa79f079950a560632d7b0fe6eea50b1dc39f9c097c84",
        sha256_split: "83d20324577da07891197a62d8abe3fd7b9c33c7a3ef46e1ef7b5532933c518b",
    },
    Set {
        name: "CHEMBL3979_EC50",
        target: "PPAR delta",
        counts: [1_125, 226, 468, 94],
        bytes: 101_814,
        sha256: "7e455ec476c0683414404b527d0bb98bf76671f7bd3748507aad505c21a6b44b",
        sha256_csv: "551921c1427e840105031b222db6d34bb0c5c40bbbe3506b1916548a973ef751",
        sha256_split: "e2c529c8726fd7c0b87da1f3bb09aaf0c31bfe9515b83e9a186e859450e0db04",
    },
    Set {
        name: "CHEMBL4005_Ki",
        target: "PI3-kinase p110-alpha",
        counts: [960, 193, 401, 81],
        bytes: 84_641,
        sha256: "183b163b6820d2c0db3190500e3a58cdda1f72d148f36605d7c2e2071d69c03e",
        sha256_csv: "2b9796db53316b3fd4b487f13dd14efee6092d6d9fdb95ca699676bb20ce7841",
        sha256_split: "af2707765bd5da62681df0624698ca33ca3a00f1bcd4825e2271adaf02a9f393",
    },
    Set {
        name: "CHEMBL4203_Ki",
        target: "dual specificity protein kinase CLK4",
        counts: [731, 149, 64, 13],
        bytes: 55_311,
        sha256: "28d7139fdba99657584430ef793bf2850aaf806651930fc062d50f3f847f032d",
        sha256_csv: "8513ff24bf91786170838b4b30980a12b871d33f904665535f05b9e64500241d",
        sha256_split: "1d32cca653ab2a26589613cda6eda36c8aeb26261ccfc8eaddf9cc762f79a254",
    },
    Set {
        name: "CHEMBL4616_EC50",
        target: "the ghrelin receptor",
        counts: [682, 139, 355, 73],
        bytes: 73_580,
        sha256: "7b79538464cf4a811a9bd593d867d985b3f19d65302f241a7fba409b16230b0a",
        sha256_csv: "1aed89629c13d835bcb2c1146c43101645244ecb80a745ee7909eca4bd84607b",
        sha256_split: "186351aa0ed8ace00123ef4cf9c3056a5b040e3acb74406236f25b07c81b832f",
    },
    Set {
        name: "CHEMBL4792_Ki",
        target: "the orexin receptor 2",
        counts: [1_471, 297, 794, 160],
        bytes: 129_521,
        sha256: "088219b5b08fa90962f00e80d7ed66fe7a71e223b18b874fb000d0babc343659",
        sha256_csv: "e27ea774b0cd2f78572531b0eb736bff1677ab13ba041496d286edd6e7579077",
        sha256_split: "0a7a86b96cc9318bc218ea67c8320e1cf942eee53e7c5b7054a4c6a6a91762fb",
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

    /// `Ki` or `EC50`.
    pub fn endpoint(&self) -> &'static str {
        self.name.split_once('_').map_or("", |(_, endpoint)| endpoint)
    }

    fn doc(&self) -> String {
        let [molecules, test, cliffs, test_cliffs] = self.counts;
        let (endpoint, target) = (self.endpoint(), self.target);
        let id = self.name.split_once('_').map_or("", |(id, _)| id);
        let power = if endpoint == "Ki" { "pKi" } else { "pEC50" };
        format!(
            "Potency ({endpoint}) on {target} ({id}): {molecules} molecules of ChEMBL, {test} of them for testing; {cliffs} at \
             activity cliffs, {test_cliffs} of them for testing. The label is -log10 of nM, so {power} is the label plus 9. The \
             split is the authors': clusters of like molecules (spectral, on ECFP), each shared out 80 to 20 with cliffs in \
             proportion; it has no validation part, so one is drawn out of the training part. A test molecule may be a near twin of \
             a training molecule: that is what a cliff is."
        )
    }

    /// Declaration of the set.
    pub fn info(&self) -> DatasetInfo {
        DatasetInfo {
            source: "moleculeace".into(),
            name: self.name.into(),
            doc: self.doc(),
            tasks: vec![TaskInfo {
                name: "y".into(),
                kind: TaskKind::Regression,
                unit: format!("-log10({} in nM)", self.endpoint()),
                score: "rmse".into(),
            }],
            recommended_split: "given".into(),
            subsets: vec![SubsetInfo {
                name: "cliff".into(),
                doc: "molecules with a partner in the set that is alike (ECFP of the molecule, ECFP of its generic scaffold, or its \
                      SMILES: a similarity of 0.9 or more) and more than ten times more or less potent"
                    .into(),
            }],
            files: vec![SourceFile {
                name: self.file(),
                wheel: Some(WheelEntry {
                    package: "MoleculeACE".into(),
                    version: "3.0.0".into(),
                    wheel_sha256: "c2028c9a75281eab53d3b3e7dc11cbc8ac970d008bac4a0d3927f11ac2024bdc".into(),
                    entry: format!("MoleculeACE/Data/benchmark_data/{}.csv", self.name),
                    sha256: self.sha256.into(),
                    bytes: self.bytes,
                }),
                urls: Vec::new(),
            }],
            sha256_csv: Some(self.sha256_csv.into()),
            licence: "CC BY-SA 3.0 (ChEMBL); MIT (package)".into(),
            citation: "van Tilborg et al., J. Chem. Inf. Model. 62:5938 (2022)".into(),
            ..DatasetInfo::default()
        }
    }
}
