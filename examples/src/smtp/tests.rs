//! Both sides, unchanged, in simulated worlds: whatever happens to the connection, a mail arrives
//! whole and over TLS, or not at all.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use millpond_sim::{
    Direction, Fault, Script, Sim, Stream, StreamServer, TlsConnector, check, connect, timeout,
    tls, world,
};

use super::{LINE_LIMIT, Mail, send, serve};

const ADDRESS: &str = "localhost:8025";

/// More than any stall takes.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// What the server says before TLS.
const HELLO: &str = "220 localhost ESMTP\r\n";
const OFFERS: &str = "250-localhost\r\n250 STARTTLS\r\n";
const GO_AHEAD: &str = "220 go ahead\r\n";

/// A command that an attacker on the way has put behind `STARTTLS`.
const INJECTED: &str = "NOOP\r\n";

type Mailbox = Arc<Mutex<Vec<Mail>>>;

fn mail() -> Mail {
    Mail {
        from: "ada@example.org".to_owned(),
        to: vec!["bob@example.org".to_owned()],
        lines: ["Subject: dots", "", ".", "..", "bye"]
            .map(ToOwned::to_owned)
            .to_vec(),
    }
}

/// Serves until the world ends.
fn start_serving() -> (TlsConnector, Mailbox) {
    let (connector, acceptor) = tls::localhost();
    let mailbox = Mailbox::default();
    let delivered = mailbox.clone();
    let server = StreamServer::new(world().runtime(), ADDRESS, move |stream| {
        let delivered = delivered.clone();
        serve(stream, acceptor.clone(), move |mail| {
            delivered.lock().unwrap().push(mail)
        })
    })
    .limit(LINE_LIMIT)
    .on_handler_error(|_| {});
    world().spawn(async move { server.serve_forever().await.unwrap() });
    (connector, mailbox)
}

async fn post(tls: &TlsConnector) -> std::io::Result<()> {
    let mut stream = connect(ADDRESS).limit(LINE_LIMIT).await?;
    send(&mut stream, tls, &mail()).await
}

#[test]
fn a_mail_is_delivered_however_the_network_cuts_it() {
    check(0..50, |sim| {
        let latency = Duration::ZERO..=Duration::from_millis(100);
        sim.rough().latency(latency).run(async {
            let (tls, mailbox) = start_serving();
            world().sleep(Duration::from_secs(1)).await;
            post(&tls).await.unwrap();
            assert_eq!(*mailbox.lock().unwrap(), [mail()]);
        });
    });
}

/// Delivers with a fault: whether the client believes that it was delivered, and whether it was.
fn post_with(sim: Sim) -> (bool, usize) {
    sim.run(async {
        let (tls, mailbox) = start_serving();
        world().sleep(Duration::from_secs(1)).await;
        let posted = timeout(TIME_LIMIT, post(&tls)).await;
        world().sleep(TIME_LIMIT).await;
        let delivered = mailbox.lock().unwrap();
        assert!(
            delivered.iter().all(|delivered| *delivered == mail()),
            "{delivered:?}"
        );
        (matches!(posted, Ok(Ok(()))), delivered.len())
    })
}

#[test]
fn a_connection_that_is_cut_at_any_byte_delivers_all_of_a_mail_or_nothing() {
    let mut cut_off = 0;
    for direction in [Direction::ToServer, Direction::ToClient] {
        // A little more than either side sends in all.
        for after in (0..2500).step_by(13) {
            for fault in [Fault::eof, Fault::reset, Fault::stall_forever] {
                let fault = fault().after(direction, after);
                let (posted, delivered) = post_with(Sim::new(after).rough().fault(fault));
                assert!(delivered <= 1, "it was sent once");
                assert!(
                    !posted || delivered == 1,
                    "the client thinks it was delivered"
                );
                cut_off += usize::from(delivered == 0);
            }
        }
    }
    assert!(cut_off > 300, "only {cut_off}");
}

#[test]
fn whatever_goes_wrong_a_mail_is_delivered_once_or_not_at_all() {
    check(0..200, |sim| {
        let latency = Duration::ZERO..=Duration::from_millis(100);
        let (posted, delivered) = post_with(sim.rough().latency(latency).random_faults(1));
        assert!(delivered <= 1 && (!posted || delivered == 1));
    });
}

/// A client that plays a script, and gets the server's answers.
async fn talk(script: Script) -> Mailbox {
    let (_tls, mailbox) = start_serving();
    world().sleep(Duration::from_secs(1)).await;
    let client = connect(ADDRESS).await.unwrap();
    script.play(client.into_split()).await.unwrap();
    mailbox
}

/// Before `STARTTLS` was answered, or right behind it.
#[test]
fn a_server_believes_no_command_from_before_tls() {
    let refused = "554 nothing may follow STARTTLS\r\n";
    let command = format!("STARTTLS\r\n{INJECTED}");
    let hello = || {
        Script::new()
            .expect(HELLO)
            .send("EHLO eve\r\n")
            .expect(OFFERS)
    };
    for split in 1..command.len() {
        Sim::new(1).run(async {
            let (first, rest) = command.split_at(split);
            let pause = Duration::from_secs(1);
            let script = hello().send(first).wait(pause).send(rest);
            let script = if split == "STARTTLS\r\n".len() {
                // It is no handshake, and so there is no answer to it but an alert.
                script.expect(GO_AHEAD).expect_until([0x15, 3, 3])
            } else {
                script.expect(refused).expect_end()
            };
            assert!(talk(script).await.lock().unwrap().is_empty());
        });
    }
}

#[test]
fn a_client_believes_no_answer_from_before_tls() {
    let answer = format!("{GO_AHEAD}250 evil\r\n");
    for split in 1..=answer.len() {
        Sim::new(1).run(async {
            let (first, rest) = answer.split_at(split);
            let script = Script::new()
                .send(HELLO)
                .expect("EHLO localhost\r\n")
                .send(OFFERS)
                .expect("STARTTLS\r\n")
                .send(first)
                .wait(Duration::from_secs(1))
                .send(rest)
                .hold();
            let ((reader, writer), server) = world().connection(&Default::default());
            world().spawn(async { drop(script.play(server).await) });
            let (tls, _) = tls::localhost();
            let mut client = Stream::reunite(reader, writer).unwrap();
            let failed = timeout(TIME_LIMIT, send(&mut client, &tls, &mail())).await;
            failed.expect("it does not wait").unwrap_err();
        });
    }
}
