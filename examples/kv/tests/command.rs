//! The command line, as people use it: servers and clients as processes.

#[path = "command/servers.rs"]
mod servers;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use raft_sim::recording::{Ending, Recording};

use servers::{Servers, exists, free_port, run};

#[test]
fn a_cluster_of_three_survives_the_loss_of_any() {
    let mut servers = Servers::new(3);
    servers.start_all();
    servers.ask(&["put", "greeting", "hello"]).expect("it is written");
    for id in 1..=3 {
        servers.kill(id);
        assert_eq!(servers.ask(&["get", "greeting"]).as_deref(), Ok("hello\n"), "without {id}");
        servers.ask(&["put", &format!("without-{id}"), "yes"]).expect("it is written");
        servers.start(id, &[]);
        let caught_up = |said: &str| said.lines().count() == 3 && !said.contains("not reached");
        servers.eventually(&["status"], caught_up);
    }
    let all = servers.ask(&["scan"]).expect("it is read");
    assert_eq!(all, "greeting\thello\nwithout-1\tyes\nwithout-2\tyes\nwithout-3\tyes\n");
}

#[test]
fn keys_are_put_read_compared_scanned_and_deleted() {
    let mut servers = Servers::new(1);
    servers.start_all();
    let batch = "put a 1\nput b two words\nput c 3\nput d 4\ndelete d\n";
    run(&["--servers", &servers.addresses[0], "batch"], batch).expect("it is carried out");
    let said = |arguments: &[&str]| servers.ask(arguments).expect("it is answered");
    assert_eq!(said(&["scan"]), "a\t1\nb\ttwo words\nc\t3\n");
    assert_eq!(said(&["scan", "b", "c"]), "b\ttwo words\n", "the end is not in it");
    assert_eq!(said(&["scan", "--limit", "1"]), "a\t1\n");
    assert_eq!(said(&["scan", "--prefix", "c"]), "c\t3\n");
    assert_eq!(said(&["get", "--stale", "a"]), "1\n");
    let differs = servers.ask(&["cas", "a", "9", "--if", "7"]).expect_err("it holds 1");
    assert_eq!(differs, "kv: 'a' was left alone: it holds '1'\n");
    said(&["cas", "a", "9", "--if", "1"]);
    assert_eq!(said(&["get", "a"]), "9\n");
    said(&["cas", "a", "--if", "9"]);
    let gone = servers.ask(&["get", "a"]).expect_err("it was removed");
    assert_eq!(gone, "kv: there is no key 'a'\n");
    said(&["delete", "b"]);
    said(&["put", "--hex", "00ff", "ff00"]);
    assert_eq!(said(&["scan", "--hex"]), "00ff\tff00\n63\t33\n");
    let wrong = run(&["--servers", &servers.addresses[0], "batch"], "put a 1\nset b 2\n");
    assert!(wrong.expect_err("no such word").contains("line 2: 'set b 2'"));
}

#[test]
fn members_come_and_go_and_leadership_moves() {
    let mut servers = Servers::new(3);
    servers.start_all();
    servers.ask(&["put", "k", "v"]).expect("it is written");
    let leader = servers.leader();
    let other = leader % 3 + 1;
    servers.ask(&["transfer", &other.to_string()]).expect("it is handed over");
    assert_eq!(servers.leader(), other);
    servers.ask_at(&servers.addresses[leader - 1], &["weaken", "1s"]).expect("it is weak");
    servers.ask_at(&servers.addresses[leader - 1], &["campaign"]).expect("it tries");

    // In memory, under a name that was never used, through a contact.
    let fourth = format!("127.0.0.1:{}", free_port());
    let contact = servers.addresses[0].clone();
    servers.serve(4, &["--memory", "--listen", &fourth, "--join", &contact]);
    let is_voter = |said: &str| said.contains(&format!("\t{fourth}\tvoter\n"));
    servers.eventually(&["members"], is_voter);
    assert_eq!(servers.ask_at(&fourth, &["get", "k"]).as_deref(), Ok("v\n"));
    servers.ask_at(&fourth, &["leave"]).expect("it leaves by itself");
    servers.eventually(&["members"], |said| !said.contains(&fourth));

    // On a disk, added by hand, without a vote.
    let fifth = format!("127.0.0.1:{}", free_port());
    let data = servers.path("data-5");
    servers.serve(5, &["--id", "5", "--data", &data, "--listen", &fifth]);
    servers.ask(&["join", "5", &fifth, "--learner"]).expect("it is added");
    let is_learner = |said: &str| said.contains(&format!("5\t{fifth}\tlearner\n"));
    servers.eventually(&["members"], is_learner);
    servers.ask(&["leave", "5"]).expect("it is removed");
    servers.eventually(&["members"], |said| !said.contains(&fifth));

    let status = servers.ask(&["status", "--json"]).expect("all are there");
    let status: serde_json::Value = serde_json::from_str(&status).expect("it is JSON");
    assert_eq!(status.as_array().map(Vec::len), Some(3));
    assert_eq!(status[0]["status"]["membership"]["voters"].as_array().map(Vec::len), Some(3));
    // A leader that is told to end hands over first.
    let leader = servers.leader();
    assert!(servers.terminate(leader), "it ends well");
    let began = Instant::now();
    servers.ask(&["put", "k", "after"]).expect("the others go on");
    assert!(began.elapsed() < Duration::from_secs(5), "nobody had to wait for long");
}

#[test]
fn with_certificates_nobody_else_is_heard() {
    let mut servers = Servers::new(3);
    let folder = servers.path("certificates");
    run(&["certificates", "1", "2", "3", "--out", &folder], "").expect("they are made");
    let again = run(&["certificates", "4", "--out", &folder], "").expect_err("they are there");
    assert!(again.contains("is there already"), "{again}");
    let file = |name: &str| format!("{folder}/{name}");
    let files = |name: &str| {
        let (certificate, key) = (file(&format!("{name}.pem")), file(&format!("{name}.key")));
        [
            "--tls-authority",
            &file("authority.pem"),
            "--tls-certificate",
            &certificate,
            "--tls-key",
            &key,
        ]
        .map(str::to_owned)
    };
    for id in 1..=2 {
        let files = files(&format!("node-{id}"));
        servers.start(id, &files.each_ref().map(String::as_str));
    }
    let stranger = servers.ask(&["--timeout", "1s", "put", "k", "v"]).expect_err("not with TLS");
    assert!(stranger.contains("not done within 1s"), "{stranger}");
    servers.common = files("client").to_vec();
    servers.ask(&["put", "k", "v"]).expect("two of three, and a client with a certificate");
    // Node 3 with the certificate of node 2 is told why it is not heard, and adds nothing.
    let wrong = files("node-2");
    let mut arguments = wrong.each_ref().map(String::as_str).to_vec();
    arguments.extend(["--log", "debug"]);
    servers.common.clear();
    servers.start(3, &arguments);
    let log = servers.log(3);
    let told = || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        log.contains("the certificate is not that of node 3: use the node's own")
    };
    let began = Instant::now();
    while !told() {
        assert!(began.elapsed() < Duration::from_secs(20), "node 3 is not told why");
        thread::sleep(Duration::from_millis(50));
    }
    let others = run(&["certificates", "3", "--out", &servers.path("others")], "");
    others.expect("they are made");
    let half = servers.ask(&["--tls-key", &file("client.key"), "status"]).expect_err("two missing");
    assert!(half.contains("give all three, or none"), "{half}");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let wrong = |arguments: &[&str]| {
        let mut all = vec!["serve"];
        all.extend(arguments);
        run(&all, "").expect_err("it cannot be served like this")
    };
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    let listen = ["--listen", "127.0.0.1:0"];
    let with = |more: &[&'static str]| wrong(&[&listen, more].concat());
    assert!(wrong(&["--id", "1"]).contains("--listen is missing"));
    assert!(with(&[]).contains("--id is missing"));
    assert!(with(&["--id", "1"]).contains("--data is missing"));
    assert!(with(&["--id", "1", "--memory"]).contains("leave --id out, or use --data"));
    assert!(with(&["--id", "1", "--member", "x"]).contains("write ID=HOST:PORT"));
    assert!(with(&["--id", "1", "--election-timeout", "soon"]).contains("invalid value 'soon'"));
    let exposed = ["--id", "1", "--data", &data, "--listen", "0.0.0.0:0"];
    assert!(wrong(&exposed).contains("without certificates it listens on a loopback address only"));
    let not_named = ["--id", "1", "--data", &data, "--member", "2=127.0.0.1:1"];
    assert!(wrong(&[&listen[..], &not_named].concat()).contains("add --member 1="));
    let file = folder.path().join("kv.toml");
    fs::write(&file, "id = 1\nlistn = '127.0.0.1:0'\n").expect("it can be written");
    let unknown = wrong(&["--config", &file.display().to_string()]);
    assert!(unknown.contains("line 2") && unknown.contains("unknown field `listn`"), "{unknown}");
}

#[test]
fn a_file_of_settings_metrics_and_a_recording() {
    let mut servers = Servers::new(1);
    let metrics = format!("127.0.0.1:{}", free_port());
    let (file, record) = (servers.path("kv.toml"), servers.path("recordings"));
    let address = servers.addresses[0].clone();
    let text = format!(
        "id = 1\ndata = '{}'\nlisten = '{address}'\nmembers = ['1={address}']\nmetrics = '{metrics}'\n\
         record = '{record}'\nheartbeat-interval = '20ms'\n",
        servers.path("data-1")
    );
    fs::write(&file, text).expect("it can be written");
    servers.serve(1, &["--config", &file]);
    servers.ask(&["put", "k", "v"]).expect("it is written");
    let said = get(&metrics, "/metrics");
    for line in ["raft_is_leader 1\n", "raft_keys 1\n", "raft_elections_total ", "# EOF"] {
        assert!(said.contains(line), "no {line:?} in {said}");
    }
    let status = get(&metrics, "/status");
    let body = status.split("\r\n\r\n").nth(1).expect("a body");
    let status: serde_json::Value = serde_json::from_str(body).expect("it is JSON");
    assert_eq!(status["role"], "Leader");
    assert!(get(&metrics, "/other").starts_with("HTTP/1.1 404"));
    // Another node's folder.
    let other = run(&["serve", "--config", &file, "--id", "2", "--listen", "127.0.0.1:0"], "");
    assert!(other.is_err(), "the store is open, and not node 2's");
    assert!(servers.terminate(1), "it ends well");
    let other = run(
        &[
            "serve",
            "--config",
            &file,
            "--id",
            "2",
            "--member",
            "2=127.0.0.1:1",
            "--listen",
            "127.0.0.1:0",
        ],
        "",
    );
    let other = other.expect_err("it is not node 2's");
    assert!(other.contains("belongs to node 1 of cluster 1, not to node 2"), "{other}");
    assert!(exists(&record), "it was recorded");
    let mut steps = 0;
    for path in driver::recorder::recordings(record.as_ref()).expect("can be read") {
        let recording = fs::read_to_string(path).expect("can be read");
        let replayed = Recording::read(&recording).expect("a recording").replay(None);
        let replayed = replayed.expect("a node begins like this");
        assert_eq!(replayed.ending, Ending::Same);
        steps += replayed.steps;
    }
    assert!(steps > 10, "a life of {steps} steps");
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}
