//! What can be done to a cluster.

use std::time::Duration;

use raft_core::NodeId;
use tokio::time::sleep;

use super::cluster::Cluster;
use super::disk_filling;
use super::network::Link;
use super::proxy::Passage;

/// A fault.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// Its kind, to be counted.
    pub(crate) kind: &'static str,
    /// What is done.
    pub(crate) deed: Deed,
    /// What it leaves of the cluster.
    pub(crate) leaves: Leaves,
}

/// What a fault leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// A majority whose members all reach each other: it must serve while the fault lasts.
    Majority,
    /// Perhaps nothing that could serve.
    Nothing,
}

/// What is done to a cluster. All but the disk that becomes full lasts until it is healed.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// Processes are killed.
    Kill(Vec<NodeId>),
    /// A process is killed and started, several times with a pause after each.
    KillAgain(NodeId, Vec<Duration>),
    /// Processes are stopped, and live.
    Stop(Vec<NodeId>),
    /// Links are cut.
    Cut(Vec<Link>, Passage),
    /// A disk becomes full.
    FillDisk(NodeId),
}

impl Fault {
    /// Does it.
    ///
    /// # Errors
    /// When the cluster does not take it as it should.
    pub(crate) async fn inflict(&self, cluster: &mut Cluster) -> Result<(), String> {
        match &self.deed {
            Deed::Kill(ids) => cluster.kill(ids),
            Deed::KillAgain(id, pauses) => {
                for pause in pauses {
                    cluster.kill(&[*id]);
                    cluster.begin(*id);
                    sleep(*pause).await;
                }
            }
            Deed::Stop(ids) => cluster.stop(ids),
            Deed::Cut(links, how) => cluster.network.cut(links, *how),
            Deed::FillDisk(id) => {
                disk_filling::fill(cluster, *id).await?;
            }
        }
        Ok(())
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let names = |ids: &[NodeId]| {
            ids.iter().map(|id| format!("n{}", id.0)).collect::<Vec<_>>().join(" ")
        };
        let what = match &self.deed {
            Deed::Kill(ids) | Deed::Stop(ids) => names(ids),
            Deed::KillAgain(id, pauses) => format!("{} {} times", names(&[*id]), pauses.len()),
            Deed::Cut(links, how) => {
                let link = |(from, to): &Link| format!("n{}>n{}", from.0, to.0);
                let links: Vec<String> = links.iter().map(link).collect();
                let how = if *how == Passage::Silent { "silently" } else { "and broken" };
                format!("{} {how}", links.join(" "))
            }
            Deed::FillDisk(id) => names(&[*id]),
        };
        format!("{}: {what}", self.kind)
    }
}

/// The links between a group and all others, in both directions.
pub(crate) fn around(group: &[NodeId], all: &[NodeId]) -> Vec<Link> {
    let mut links = out_of(group, all);
    links.extend(into(group, all));
    links
}

/// The links from a group to all others.
pub(crate) fn out_of(group: &[NodeId], all: &[NodeId]) -> Vec<Link> {
    let others = || all.iter().filter(|id| !group.contains(id));
    group.iter().flat_map(|from| others().map(|to| (*from, *to))).collect()
}

/// The links from all others to a group.
pub(crate) fn into(group: &[NodeId], all: &[NodeId]) -> Vec<Link> {
    out_of(group, all).into_iter().map(|(from, to)| (to, from)).collect()
}
