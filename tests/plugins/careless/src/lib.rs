//! Test plugin of which each entry breaks one rule: metrics `careless/<rule>`, architectures `careless_<rule>`, datasets
//! `careless/<rule>`. `plugin check` must find every one.

use clmbench_sdk::prelude::*;

mod architecture;
mod dataset;
mod metric;

use architecture::Slip;
use metric::Careless;

export_plugin! {
    architectures: [
        Slip("careless_padding"), Slip("careless_batch"), Slip("careless_size"), Slip("careless_attention"), Slip("careless_initial"),
        Slip("careless_gradient"), Slip("careless_unlisted"), Slip("careless_panic"), Slip("careless_ahead"), Slip("careless_flat"),
        Slip("careless_dry"), Slip("careless_import"),
    ],
    datasets: [dataset::Careless],
    metrics: [
        Careless("no_error"), Careless("random"), Careless("bits"), Careless("order"), Careless("lie"), Careless("panic_at_maximum"),
        Careless("dear"), Careless("spends"), Careless("silent"), Careless("undeclared"), Careless("default"), Careless("infinite"),
    ],
}
