//! The script of faults: episodes of one fault or of several that belong together.
//!
//! Deep bugs need a few particular faults in quick succession. Nobody knows which, so episodes are
//! general: storms of faults that aim at whoever leads, elections whose winner crashes, messages held
//! back across a change of leader, one node that crashes again and again.

use raft_core::{Instant, NodeId, Ticks};

use super::shape::percent;
use super::{Item, Source};
use crate::draw::Draw;
use crate::plan::{
    CrashPoint, Cut, Fault, FaultKind, MessageKind, PlanSettings, Span, StaticCut, Target,
    TimedFault, Way,
};

/// What goes wrong in a plan.
pub(super) struct Script {
    pub(super) faults: Vec<TimedFault>,
    pub(super) heal_at: Instant,
    pub(super) static_cut: Option<StaticCut>,
}

/// What the faults of one plan have in common.
struct Style {
    /// The kinds that occur, each as often as it is listed.
    kinds: Vec<FaultKind>,
    /// How long crashed nodes stay away.
    down: Span,
    /// From one episode to the next.
    gap: Span,
    election: u64,
    nodes: u32,
}

/// The sorts of episodes, each as often as it is listed.
const EPISODES: [Episode; 15] = [
    Episode::Single,
    Episode::Single,
    Episode::Single,
    Episode::Storm,
    Episode::Storm,
    Episode::Storm,
    Episode::Rivals,
    Episode::Rivals,
    Episode::Winners,
    Episode::HeldBack,
    Episode::HeldBack,
    Episode::Unsynced,
    Episode::Bounce,
    Episode::Doubt,
    Episode::Doubt,
];

/// Faults that belong together.
#[derive(Clone, Copy)]
enum Episode {
    /// One fault.
    Single,
    /// Several in quick succession, all at whoever leads.
    Storm,
    /// One leader after the other is left with too few followers to commit anything.
    Rivals,
    /// The winners of some elections crash as they win.
    Winners,
    /// Messages are held back while the leader is lost.
    HeldBack,
    /// A node whose disk is slow crashes.
    Unsynced,
    /// One node crashes again and again.
    Bounce,
    /// One follower does not hear the leader and asks the others, who crash and are back at once.
    Doubt,
}

pub(super) fn script(source: Source, nodes: u32, settings: &PlanSettings) -> Script {
    let style = style(source, nodes, settings);
    let election = style.election;
    let count = source.of(Item::Episodes).between(3, 8);
    let mut faults = Vec::new();
    let mut at = election;
    for number in 0..count {
        at += style.gap.draw(&mut source.nth(Item::Gap, number));
        let mut draw = source.nth(Item::Episode, number);
        at = episode(&style, &mut draw, at, &mut faults).max(at);
        if at > 45 * election {
            break;
        }
    }
    let static_cut = static_cut(source, nodes, settings);
    if static_cut.is_none() {
        lost_disks(&style, source.of(Item::LostDisks), at, &mut faults);
    }
    faults.sort_by_key(|timed: &TimedFault| timed.at);
    let last = faults.last().map_or(at, |timed| timed.at.0);
    let rest = source.of(Item::Rest).log_uniform(election / 2, 10 * election);
    let heal_at = (last + rest).max(20 * election);
    Script { faults, heal_at: Instant(heal_at), static_cut }
}

fn style(source: Source, nodes: u32, settings: &PlanSettings) -> Style {
    let election = settings.election_timeout.0;
    let mut kinds = Vec::new();
    for (kind, number) in FaultKind::ALL.into_iter().zip(1..) {
        let mut draw = source.nth(Item::FaultKinds, number);
        // Kinds that leave nothing to see if they are frequent are kept rare.
        let heaviest = match kind {
            // Nothing brings a lost disk back: see `lost_disks`.
            // Single messages are lost by their fates; to drop a kind is for plans written by hand. What a machine has of
            // its own is drawn apart.
            FaultKind::LoseDisk | FaultKind::Drop | FaultKind::Machine => continue,
            FaultKind::PowerLoss | FaultKind::LoseMajority => 1,
            _ => 4,
        };
        if percent(&mut draw, 50) {
            let weight = draw.between(1, heaviest);
            kinds.extend((0..weight).map(|_| kind));
        }
    }
    if kinds.is_empty() {
        kinds.extend([FaultKind::Crash, FaultKind::Isolate]);
    }
    let mut down = source.of(Item::Downtime);
    let down = match down.below(3) {
        0 => Span::new(500, election / 2),
        1 => Span::new(election / 8, election * 3),
        _ => Span::new(election, election * 10),
    };
    let gap = source.of(Item::Gap).log_uniform(election, 5 * election);
    Style { kinds, down, gap: Span::new(election / 2, gap), election, nodes }
}

/// Adds the faults of an episode that begins at `at`; says when the next may begin.
fn episode(style: &Style, draw: &mut Draw, at: u64, faults: &mut Vec<TimedFault>) -> u64 {
    match draw.pick(&EPISODES) {
        Episode::Single => {
            let kind = *draw.pick(&style.kinds);
            let target = target(style, draw);
            faults.push(TimedFault { at: Instant(at), fault: fault(style, draw, kind, target) });
            at
        }
        Episode::Storm => storm(style, draw, at, faults),
        Episode::Rivals => rivals(style, draw, at, faults),
        Episode::Winners => winners(style, draw, at, faults),
        Episode::HeldBack => held_back(style, draw, at, faults),
        Episode::Unsynced => unsynced(style, draw, at, faults),
        Episode::Bounce => bounce(style, draw, at, faults),
        Episode::Doubt => doubt(style, draw, at, faults),
    }
}

/// A time between faults of one episode: mostly about as long as an election takes.
fn step(style: &Style, draw: &mut Draw) -> u64 {
    draw.log_uniform(style.election / 16, style.election * 4)
}

fn storm(style: &Style, draw: &mut Draw, mut at: u64, faults: &mut Vec<TimedFault>) -> u64 {
    // One or two kinds by turns: the same again is what makes rare sequences likely.
    let kinds = [*draw.pick(&style.kinds), *draw.pick(&style.kinds)];
    for _ in 0..draw.between(3, 6) {
        let kind = *draw.pick(&kinds);
        faults
            .push(TimedFault { at: Instant(at), fault: fault(style, draw, kind, Target::Leader) });
        at += step(style, draw);
    }
    at
}

fn rivals(style: &Style, draw: &mut Draw, mut at: u64, faults: &mut Vec<TimedFault>) -> u64 {
    let minority = u64::from(style.nodes.saturating_sub(1) / 2).max(1);
    for _ in 0..draw.between(2, 5) {
        let size = u32::try_from(draw.between(1, minority)).unwrap_or(1);
        // Long enough for a rival to be elected, and over about when the rival is cut off in turn.
        let gap = draw.between(style.election, style.election * 4);
        let lasts = Ticks(gap * draw.between(40, 110) / 100);
        let cut = Cut::Split { target: Target::Leader, size, way: Way::Both };
        let fault = if percent(draw, 75) {
            Fault::Cut { cut, lasts }
        } else {
            crash(style, draw, Target::Leader, CrashPoint::PartSent)
        };
        faults.push(TimedFault { at: Instant(at), fault });
        if percent(draw, 30) {
            let fault = crash(style, draw, Target::Leader, CrashPoint::Winning);
            faults.push(TimedFault { at: Instant(at + 1), fault });
        }
        at += gap;
    }
    at
}

fn winners(style: &Style, draw: &mut Draw, mut at: u64, faults: &mut Vec<TimedFault>) -> u64 {
    faults.push(TimedFault {
        at: Instant(at),
        fault: crash(style, draw, Target::Leader, CrashPoint::Now),
    });
    for _ in 0..draw.between(1, 4) {
        let fault = crash(style, draw, Target::Leader, CrashPoint::Winning);
        faults.push(TimedFault { at: Instant(at + 1), fault });
        at += style.election + step(style, draw);
    }
    at
}

fn held_back(style: &Style, draw: &mut Draw, at: u64, faults: &mut Vec<TimedFault>) -> u64 {
    let lasts = draw.log_uniform(style.election, style.election * 6);
    // Two kinds at once now and then: one waits while the other's absence makes things happen.
    for begins in [Some(0), percent(draw, 50).then(|| draw.below(lasts))].into_iter().flatten() {
        let from = *draw.pick(&[None, None, Some(Target::Anyone), Some(Target::Follower)]);
        let hold = Fault::Hold { kind: held_kind(draw), from, to: None, lasts: Ticks(lasts) };
        faults.push(TimedFault { at: Instant(at + begins), fault: hold });
    }
    let soon = at + draw.log_uniform(1, style.election);
    let loss = if percent(draw, 50) {
        crash(style, draw, Target::Leader, CrashPoint::Now)
    } else {
        fault(style, draw, FaultKind::Isolate, Target::Leader)
    };
    faults.push(TimedFault { at: Instant(soon), fault: loss });
    at + lasts / 2
}

/// Any kind, those of elections more often: there are few of them, and each counts.
fn held_kind(draw: &mut Draw) -> MessageKind {
    if percent(draw, 50) {
        let votes = [MessageKind::RequestVote, MessageKind::VoteReply];
        *draw.pick(&[votes[0], votes[1], votes[0], votes[1], MessageKind::PreVoteReply])
    } else {
        *draw.pick(&MessageKind::ALL)
    }
}

/// A crash in the middle of a long write: a part of it survives, or nothing.
fn unsynced(style: &Style, draw: &mut Draw, at: u64, faults: &mut Vec<TimedFault>) -> u64 {
    let target =
        if percent(draw, 60) { Target::Leader } else { Target::Node(any_node(style, draw)) };
    let longest = draw.log_uniform(style.election / 4, style.election * 4);
    let write = Span::new(style.election / 8, longest);
    let slow = Fault::SlowDisk { target, write, lasts: Ticks(longest * 2) };
    faults.push(TimedFault { at: Instant(at), fault: slow });
    let during = at + draw.between(style.election / 8, longest * 2);
    let crash = crash(style, draw, target, CrashPoint::Now);
    faults.push(TimedFault { at: Instant(during), fault: crash });
    during
}

fn bounce(style: &Style, draw: &mut Draw, mut at: u64, faults: &mut Vec<TimedFault>) -> u64 {
    let target = Target::Node(any_node(style, draw));
    for _ in 0..draw.between(2, 5) {
        let point = *draw.pick(&CrashPoint::ALL);
        faults.push(TimedFault { at: Instant(at), fault: crash(style, draw, target, point) });
        at += step(style, draw);
    }
    at
}

/// In a few plans disks are lost for good: one, or most of them at about the same time.
fn lost_disks(style: &Style, mut draw: Draw, until: u64, faults: &mut Vec<TimedFault>) {
    if !percent(&mut draw, 6) || style.nodes == 1 {
        return;
    }
    let nodes = u64::from(style.nodes);
    let count = if percent(&mut draw, 50) { 1 } else { draw.between(nodes / 2 + 1, nodes - 1) };
    let mut at = draw.between(style.election * 2, until.max(style.election * 2));
    for _ in 0..count {
        let target = target(style, &mut draw);
        let fault = fault(style, &mut draw, FaultKind::LoseDisk, target);
        faults.push(TimedFault { at: Instant(at), fault });
        at += draw.log_uniform(1, style.election);
    }
}

fn doubt(style: &Style, draw: &mut Draw, mut at: u64, faults: &mut Vec<TimedFault>) -> u64 {
    let lasts = Ticks(draw.between(style.election * 2, style.election * 8));
    let way = *draw.pick(&[Way::Both, Way::Both, Way::Outbound]);
    let cut = Cut::Link { target: Target::Leader, other: Target::Follower, way };
    faults.push(TimedFault { at: Instant(at), fault: Fault::Cut { cut, lasts } });
    for _ in 0..draw.between(2, 6) {
        at += draw.between(style.election / 8, style.election);
        let down = Ticks(draw.log_uniform(500, style.election / 2));
        let target = Target::Follower;
        let fault = Fault::Crash { target, point: CrashPoint::Now, down, keeps: None };
        faults.push(TimedFault { at: Instant(at), fault });
    }
    at
}

fn any_node(style: &Style, draw: &mut Draw) -> NodeId {
    NodeId(draw.between(1, style.nodes.into()))
}

/// Mostly the leader: that is where faults tell.
fn target(style: &Style, draw: &mut Draw) -> Target {
    match draw.below(10) {
        0..5 => Target::Leader,
        5..8 => Target::Follower,
        8 => Target::Node(any_node(style, draw)),
        _ => Target::Anyone,
    }
}

fn crash(style: &Style, draw: &mut Draw, target: Target, point: CrashPoint) -> Fault {
    Fault::Crash { target, point, down: Ticks(style.down.draw(draw)), keeps: None }
}

/// One direction or the other.
fn one_way(draw: &mut Draw) -> Way {
    *draw.pick(&[Way::Inbound, Way::Outbound])
}

fn fault(style: &Style, draw: &mut Draw, kind: FaultKind, target: Target) -> Fault {
    let election = style.election;
    let lasts = Ticks(draw.log_uniform(election / 4, election * 8));
    match kind {
        FaultKind::Isolate
        | FaultKind::Split
        | FaultKind::OneWay
        | FaultKind::Link
        | FaultKind::Bridge
        | FaultKind::Voters
        | FaultKind::Ring => Fault::Cut { cut: cut(style, draw, kind, target), lasts },
        FaultKind::Flap => {
            let shapes = [FaultKind::Isolate, FaultKind::Split, FaultKind::OneWay, FaultKind::Link];
            let shape = *draw.pick(&shapes);
            Fault::Flap {
                cut: cut(style, draw, shape, target),
                down: Ticks(draw.log_uniform(election / 10, election * 2)),
                up: Ticks(draw.log_uniform(election / 10, election * 2)),
                lasts: Ticks(draw.log_uniform(election * 2, election * 10)),
            }
        }
        FaultKind::Drop | FaultKind::Machine => {
            unreachable!(
                "single messages are lost by their fates, and what a machine has of its own is drawn apart"
            )
        }
        FaultKind::Hold => Fault::Hold {
            kind: held_kind(draw),
            from: Some(target),
            to: None,
            lasts: Ticks(draw.log_uniform(election / 2, election * 6)),
        },
        FaultKind::Crash => {
            // Winning is a kind of its own.
            let points = CrashPoint::ALL.into_iter().filter(|point| *point != CrashPoint::Winning);
            let points: Vec<CrashPoint> = points.collect();
            // At any moment as often as at one of the named points.
            let point = if percent(draw, 40) { CrashPoint::Now } else { *draw.pick(&points) };
            crash(style, draw, target, point)
        }
        FaultKind::CrashWinning => crash(style, draw, Target::Leader, CrashPoint::Winning),
        FaultKind::LoseMajority => Fault::LoseMajority { down: style.down },
        FaultKind::PowerLoss => Fault::PowerLoss { down: style.down },
        FaultKind::LoseDisk => Fault::LoseDisk { target, down: Ticks(style.down.draw(draw)) },
        FaultKind::Pause => {
            Fault::Pause { target, lasts: Ticks(draw.log_uniform(election / 4, election * 5)) }
        }
        FaultKind::SlowDisk => {
            let longest = draw.log_uniform(election / 8, election * 6);
            Fault::SlowDisk { target, write: Span::new(election / 20, longest), lasts }
        }
    }
}

fn cut(style: &Style, draw: &mut Draw, kind: FaultKind, target: Target) -> Cut {
    let half = u64::from(style.nodes / 2).max(1);
    match kind {
        FaultKind::Isolate => Cut::Isolate { target, way: Way::Both },
        FaultKind::Split => {
            let size = u32::try_from(draw.between(1, half)).unwrap_or(1);
            Cut::Split { target, size, way: Way::Both }
        }
        FaultKind::Link => {
            let way = *draw.pick(&[Way::Both, Way::Both, Way::Inbound, Way::Outbound]);
            Cut::Link { target, other: Target::Anyone, way }
        }
        FaultKind::Bridge => Cut::Bridge { target },
        FaultKind::Ring => Cut::Ring,
        FaultKind::Voters => Cut::Voters { way: Way::Both },
        _ if percent(draw, 70) => Cut::Isolate { target, way: one_way(draw) },
        _ => {
            let size = u32::try_from(draw.between(1, half)).unwrap_or(1);
            Cut::Split { target, size, way: one_way(draw) }
        }
    }
}

/// A lasting cut, where Raft promises progress under it.
fn static_cut(source: Source, nodes: u32, settings: &PlanSettings) -> Option<StaticCut> {
    let mut draw = source.of(Item::StaticCut);
    let safeguards = [settings.pre_vote, settings.check_quorum, settings.stickiness];
    if !percent(&mut draw, 50) || nodes < 3 || !safeguards.iter().all(|toggle| toggle.is_on()) {
        return None;
    }
    let target = *draw.pick(&[Target::Leader, Target::Leader, Target::Follower]);
    let way = *draw.pick(&[Way::Both, Way::Inbound, Way::Outbound]);
    let cut = if percent(&mut draw, 60) {
        Cut::Link { target, other: Target::Anyone, way }
    } else {
        Cut::Isolate { target, way }
    };
    let election = settings.election_timeout.0;
    Some(StaticCut {
        cut,
        settle: Ticks(10 * election),
        lasts: Ticks(draw.between(8 * election, 14 * election)),
    })
}
