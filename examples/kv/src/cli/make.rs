//! `kv certificates`.

use std::path::PathBuf;

use clap::Args;
use raft_core::{ClusterId, NodeId};

use super::run::Common;
use crate::certificates;

/// What `kv certificates` is told.
#[derive(Clone, Debug, Args)]
pub(super) struct MakeCertificates {
    /// Where to put them
    #[arg(long, value_name = "FOLDER", default_value = "certificates")]
    out: PathBuf,
    /// The numbers of the nodes
    #[arg(value_name = "ID", required = true)]
    nodes: Vec<u64>,
}

pub(super) fn run(make: &MakeCertificates, common: &Common) -> Result<(), String> {
    let nodes: Vec<NodeId> = make.nodes.iter().copied().map(NodeId).collect();
    let written = certificates::write(&make.out, ClusterId(common.cluster), &nodes);
    for path in written.map_err(|error| error.to_string())? {
        println!("{}", path.display());
    }
    println!(
        "Give each node authority.pem and its own two files, and clients client.pem and client.key. The authority's \
         key was not kept: for more nodes, make all certificates anew."
    );
    Ok(())
}
