//! What happened, one line each.

use raft_core::{
    AppendReply, Ballot, Cause, ChunkAnswer, Entry, Envelope, Event, LogIndex, LogPosition,
    Membership, Message, NodeId, Outcome, Payload, Reader, RecordedInput, Reply, Request,
    SnapshotContent, SnapshotReceipt, StageAnswer, Write,
};

use support::Happened;
use support::lanes::Staging;

/// An input stands at the margin, what follows from it is indented. Events are lines too.
pub(crate) fn line(id: NodeId, happened: &Happened) -> String {
    match happened {
        Happened::Given(step) => format!("{id} @{} {}", step.now, input(&step.input)),
        Happened::Wrote { write, .. } => format!("    write {}", write_parts(write)),
        Happened::Sent(envelope) => {
            format!("    send to {}: {}", envelope.to, message(envelope))
        }
        Happened::Applied(positions) => format!("    apply {}", joined(positions.iter())),
        Happened::Restored(position) => format!("    restore {position}"),
        Happened::Fetches(fetch) => {
            format!("    read {} to {} for {}", fetch.first, fetch.last, reader(fetch.reader))
        }
        Happened::Reads(read) => {
            format!("    read {} from byte {} for {}", read.position, read.offset, read.peer)
        }
        Happened::Stages(Staging::Chunk { partial, offset, .. }) => {
            let position = partial.snapshot.position;
            format!("    stage {position} bytes {offset} to {}", partial.received)
        }
        Happened::Stages(Staging::Fetch { snapshot, .. }) => {
            format!("    fetch {} from elsewhere", snapshot.position)
        }
        Happened::Replied(Reply { request, outcome }) => {
            format!("    answer {request}: {}", self::outcome(outcome))
        }
        Happened::Noted(event) => format!("    note {}", note(event)),
    }
}

fn joined<T: ToString>(parts: impl Iterator<Item = T>) -> String {
    parts.map(|part| part.to_string()).collect::<Vec<_>>().join(" ")
}

fn reader(reader: Reader) -> String {
    match reader {
        Reader::Peer(id) => id.to_string(),
        Reader::Machine => "the machine".into(),
    }
}

fn input(input: &RecordedInput) -> String {
    match input {
        RecordedInput::Tick => "tick".into(),
        RecordedInput::Campaign => "campaign".into(),
        RecordedInput::Suppress(span) => format!("suppress for {span}"),
        RecordedInput::Receive(envelope) => {
            format!("from {}: {}", envelope.from, message(envelope))
        }
        RecordedInput::Persisted(number) => format!("write {} is durable", number.0),
        RecordedInput::ForeignReceipt => "a receipt of another life".into(),
        RecordedInput::Applied(last) => format!("applied up to {last}"),
        RecordedInput::Fetched { first, entries: Some(read), .. } => {
            format!("was read {}", entries(*first, read))
        }
        RecordedInput::Fetched { first, entries: None, .. } => format!("{first} cannot be read"),
        RecordedInput::SnapshotTaken(meta) => format!("a snapshot of {} is durable", meta.position),
        RecordedInput::ChunkRead { answer: ChunkAnswer::Chunk { total, data }, .. } => {
            format!("{} bytes of {total} were read", data.len())
        }
        RecordedInput::ChunkRead { answer: ChunkAnswer::Locator(_), .. } => {
            "the snapshot is elsewhere".into()
        }
        RecordedInput::ChunkRead { answer: ChunkAnswer::Failed, .. } => {
            "the snapshot cannot be read".into()
        }
        RecordedInput::ChunkWritten { answer, .. } => match answer {
            StageAnswer::Staged => "the bytes are staged".into(),
            StageAnswer::Fetched(meta) => format!("{} was fetched", meta.position),
            StageAnswer::Failed => "nothing can be staged".into(),
        },
        RecordedInput::Request(request) => self::request(request),
    }
}

fn request(request: &Request) -> String {
    match request {
        Request::Propose { id, command } => {
            format!("propose {id} {:?}", String::from_utf8_lossy(command))
        }
        Request::Read { id } => format!("read {id}"),
        Request::ChangeMembership { id, to } => format!("change {id} to {}", members(to)),
        Request::Transfer { id, to } => format!("hand over {id} to {to}"),
    }
}

/// The voters, with those they replace and the learners if there are any.
fn members(membership: &Membership) -> String {
    let mut text = joined(membership.voters().iter());
    for (name, ids) in [("for", membership.outgoing()), ("learners", membership.learners())] {
        if !ids.is_empty() {
            text = format!("{text} {name} {}", joined(ids.iter()));
        }
    }
    text
}

fn write_parts(write: &Write) -> String {
    let Write { hard_state, install, truncate_from, append, commit, compact } = write;
    let vote = |vote: Option<NodeId>| vote.map_or("nobody".into(), |id| id.to_string());
    let parts = [
        hard_state.map(|hard| {
            format!("{} vote {} life {}", hard.term, vote(hard.vote), hard.incarnation.0)
        }),
        install.as_ref().map(|snapshot| match snapshot.position {
            LogPosition::ZERO => format!("founders {}", members(&snapshot.membership)),
            position => format!("install {position} {}", members(&snapshot.membership)),
        }),
        truncate_from.map(|first| format!("truncate from {first}")),
        append.as_ref().map(|append| format!("append {}", entries(append.first, &append.entries))),
        commit.map(|index| format!("commit {index}")),
        compact.map(|base| format!("begin after {base}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn entries(first: LogIndex, entries: &[Entry]) -> String {
    let one = |(index, entry): (LogIndex, &Entry)| {
        let position = LogPosition::new(entry.term, index);
        match &entry.payload {
            Payload::Blank => format!("{position}"),
            Payload::Command { data, origin } => {
                let via =
                    origin.as_ref().map_or(String::new(), |origin| format!(" via {}", origin.node));
                format!("{position} {:?}{via}", String::from_utf8_lossy(data))
            }
            Payload::Membership(membership) => format!("{position} {}", members(membership)),
        }
    };
    let indexes = std::iter::successors(Some(first), |index| Some(index.next()));
    format!("[{}]", indexes.zip(entries).map(one).collect::<Vec<_>>().join(", "))
}

fn message(envelope: &Envelope) -> String {
    let yes = |ballot: &Ballot| if *ballot == Ballot::Granted { "granted" } else { "refused" };
    let details = match &envelope.message {
        Message::RequestPreVote { last } | Message::RequestVote { last, cause: Cause::Timeout } => {
            format!("last {last}")
        }
        Message::RequestVote { last, cause: Cause::Transfer } => {
            format!("last {last} for a transfer")
        }
        Message::PreVoteReply { campaign, ballot } => format!("for {campaign} {}", yes(ballot)),
        Message::VoteReply { ballot } => yes(ballot).into(),
        Message::AppendEntries(append) => format!(
            "after {} {} commit {}",
            append.previous,
            entries(append.previous.index.next(), &append.entries),
            append.commit
        ),
        Message::AppendReply(AppendReply::Accepted { matched }) => format!("matched {matched}"),
        Message::AppendReply(AppendReply::Mismatch { refused, hint }) => {
            format!("refused {refused} hint {hint}")
        }
        Message::Heartbeat { commit, round } => format!("commit {commit} round {}", round.0),
        Message::HeartbeatReply { round, promise } => match promise.0 {
            0 => format!("round {}", round.0),
            ticks => format!("round {} promise {ticks}", round.0),
        },
        Message::InstallSnapshot(install) => {
            let position = install.snapshot.position;
            match &install.content {
                SnapshotContent::Chunk { offset, total, data } => {
                    let end = offset + data.len() as u64;
                    format!("{position} bytes {offset} to {end} of {total}")
                }
                SnapshotContent::Locator(_) => format!("{position} is elsewhere"),
            }
        }
        Message::SnapshotReply { position, receipt: SnapshotReceipt::Received(bytes) } => {
            format!("{position} received {bytes}")
        }
        Message::SnapshotReply { position, receipt: SnapshotReceipt::Failed } => {
            format!("{position} failed")
        }
        Message::ReadIndex { sequence, .. } => format!("number {sequence}"),
        Message::ReadIndexReply { sequence, index, .. } => format!("number {sequence}: {index}"),
        Message::Commit { index } => format!("{index}"),
        Message::TimeoutNow | Message::StaleTerm => String::new(),
        Message::ForwardProposal { sequence, data, .. } => {
            format!("number {sequence} {:?}", String::from_utf8_lossy(data))
        }
        Message::ForwardRefused { sequence, refusal, .. } => {
            format!("number {sequence}: {refusal:?}")
        }
    };
    format!("{} {} {details}", envelope.message.kind(), envelope.term).trim_end().into()
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { position } => format!("done at {position}"),
        Outcome::Refused { refusal, leader } => {
            let leader = leader.map_or(String::new(), |id| format!(", ask {id}"));
            format!("refused, {refusal:?}{leader}")
        }
        Outcome::Readable { index } => format!("readable as of {index}"),
        Outcome::Transferred { leader } => format!("{leader} leads"),
        Outcome::Lost { position } => format!("lost at {position}"),
        Outcome::Unknown => "unknown".into(),
    }
}

fn note(event: &Event) -> String {
    match event {
        Event::RoleChanged { from, to, term } => format!("{from} becomes {to} in {term}"),
        Event::TermChanged { from, to } => format!("moves from {from} to {to}"),
        Event::LeaderChanged { leader: Some(id), term } => format!("{id} leads {term}"),
        Event::LeaderChanged { leader: None, term } => format!("no leader known in {term}"),
        Event::ElectionTimeout { term } => format!("election timeout in {term}"),
        Event::Voted { candidate, term } => format!("votes for {candidate} in {term}"),
        Event::SteppedDown { term, reason } => format!("steps down in {term}: {reason:?}"),
        Event::Truncated { from } => format!("truncates from {from}"),
        Event::MembershipChanged { at } => format!("other members as of {at}"),
        Event::SnapshotInstalled { position } => format!("installed {position}"),
        Event::Compacted { base } => format!("its log begins after {base}"),
        Event::SnapshotStarted { peer, position } => format!("sends {position} to {peer}"),
        Event::TransferStarted { to } => format!("hands over to {to}"),
        Event::TransferAborted { to } => format!("does not hand over to {to}"),
        Event::HeartbeatSlow { peer, round_trip } => format!("{peer} took {round_trip}"),
        other => format!("{other:?}"),
    }
}
