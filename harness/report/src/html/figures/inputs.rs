//! What figures need beside the boards: statistics and losses from the database, tables and embeddings from the artifact folders.

use clmbench_analysis::CheckpointLoss;
use clmbench_protocol::TaskKind;
use clmbench_store::StatisticRow;

/// Everything that figures draw and no board holds. Whoever reads it bounds its size; what could not be read is left out and noted.
#[derive(Debug, Clone, Default)]
pub struct FigureInputs {
    /// Stored statistics of the suite.
    pub statistics: Vec<StatisticRow>,
    /// Held-out losses of the runs' checkpoints.
    pub losses: Vec<CheckpointLoss>,
    /// Tables that metrics left beside their values.
    pub tables: Vec<ArtifactTable>,
    /// Embeddings of a dataset on two principal components.
    pub embedding: Option<EmbeddingMap>,
    /// Test predictions of one model a task and protocol.
    pub predictions: Vec<TaskPredictions>,
    /// What is missing or damaged, a sentence each.
    pub notes: Vec<String>,
}

/// A CSV file of a measure cell.
#[derive(Debug, Clone, PartialEq)]
pub struct ArtifactTable {
    /// File name, such as `density.csv`.
    pub file: String,
    /// Metric that wrote it.
    pub metric: String,
    /// Label of the run.
    pub run: String,
    /// Parameters of the run without embeddings.
    pub parameters: u64,
    /// Tokens up to the checkpoint, if known.
    pub tokens: Option<u64>,
    /// Whether the checkpoint is the run's last.
    pub last: bool,
    /// Loss of the checkpoint on the held-out sample, if measured.
    pub loss: Option<f64>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows of cells as they are written.
    pub rows: Vec<Vec<String>>,
}

impl ArtifactTable {
    /// A column as numbers; none if there is no such column or an entry is no number.
    pub(crate) fn numbers(&self, column: &str) -> Option<Vec<f64>> {
        let place = self.columns.iter().position(|name| name == column)?;
        self.rows.iter().map(|row| row.get(place)?.parse().ok()).collect()
    }

    /// A column as text.
    pub(crate) fn texts(&self, column: &str) -> Option<Vec<&str>> {
        let place = self.columns.iter().position(|name| name == column)?;
        self.rows.iter().map(|row| row.get(place).map(String::as_str)).collect()
    }
}

/// The molecules of a dataset on the first two principal components of a run's embeddings.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingMap {
    /// Label of the run.
    pub run: String,
    /// Why this run, such as `the run with the smallest held-out loss of 8`.
    pub because: String,
    /// Dataset.
    pub dataset: String,
    /// Task whose labels colour the points.
    pub task: String,
    /// Unit of the label.
    pub unit: String,
    /// Regression or classification.
    pub task_kind: TaskKind,
    /// Shares of the variance on both components.
    pub shares: [f64; 2],
    /// Molecules of the dataset with a label.
    pub molecules: usize,
    /// Width of the embeddings.
    pub width: usize,
    /// Points, at most so many as can be drawn.
    pub points: Vec<EmbeddingPoint>,
}

/// A molecule on an [`EmbeddingMap`].
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingPoint {
    /// SMILES.
    pub smiles: String,
    /// `train`, `valid` or `test`.
    pub part: String,
    /// Label.
    pub label: f64,
    /// Coordinates.
    pub place: [f64; 2],
}

/// Test predictions of a model for a task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskPredictions {
    /// Dataset.
    pub dataset: String,
    /// Task.
    pub task: String,
    /// Regression or classification.
    pub task_kind: TaskKind,
    /// Protocol.
    pub protocol: String,
    /// Label of the model.
    pub model: String,
    /// Unit of the label.
    pub unit: String,
    /// Label and prediction (for classification: the probability of class 1) of each test molecule.
    pub pairs: Vec<(f64, f64)>,
}
