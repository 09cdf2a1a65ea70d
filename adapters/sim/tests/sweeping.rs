//! Conversations with a flaw at one place, which a sweep finds wherever it is.

#[path = "support/alone.rs"]
mod alone;

use std::{io, time::Duration};

use alone::failing_alone;
use millpond_sim::{
    Cut, Direction, Fault, Sim, StreamOptions, StreamReader, StreamWriter, Summary, Sweep,
    open_connection, start_server, timeout, world,
};

const SIZE: usize = 10_000;

/// What is planted here: a body of this length is taken for a whole one.
const BAD: usize = 6789;

async fn take_body(mut reader: StreamReader, _writer: StreamWriter) {
    let body = reader.read_to_eof().await.unwrap();
    assert!(body.len() != BAD, "taken for a whole one");
}

/// Uploads a body, which the server may get a part of.
fn upload(sim: Sim, _: Option<Cut>) {
    sim.run(async {
        let server = start_server("127.0.0.1:80", take_body);
        let server = server.on_handler_error(|_| {}).await.unwrap();
        let (_reader, mut writer) = open_connection("127.0.0.1:80").await.unwrap();
        let _ = writer.write_all([b'x'; SIZE]).await;
        let _ = writer.write_eof();
        world().sleep(Duration::from_secs(1)).await; // the server has taken it
        server.close();
    });
}

#[test]
fn one_bad_byte_among_ten_thousand_is_found_and_named() {
    let test = "one_bad_byte_among_ten_thousand_is_found_and_named";
    let text = failing_alone(test, &[], || {
        Sweep::every_byte([Fault::eof()]).run(upload);
    });
    let fault = "Fault::eof().connection(1).after(Direction::ToServer, 6789)";
    let named = format!(
        "a sweep has failed in the calm world with {fault}\n\
         to repeat it, give the test this world: Sim::from_bytes([]).fault({fault})\n"
    );
    assert_eq!(text.matches(&named).count(), 1, "{text}");
    assert!(text.contains("taken for a whole one"), "{text}");
}

#[test]
#[should_panic(expected = "taken for a whole one")]
fn what_is_printed_of_a_failed_sweep_fails_alone() {
    let fault = Fault::eof().connection(1).after(Direction::ToServer, 6789);
    upload(Sim::from_bytes([]).fault(fault), None);
}

#[test]
fn a_bounded_sweep_leaves_out_bytes_between_its_ends() {
    let mut seen = Vec::new();
    let sweep = Sweep::every_byte([Fault::eof()]).at_most(100);
    let summary = sweep.run(|sim, cut| {
        upload(sim, cut);
        seen.extend(cut.map(|cut| cut.after));
    });
    assert_eq!(summary.worlds(), 100);
    assert_eq!(seen.len(), 100);
    assert_eq!((seen[0], seen[99]), (0, SIZE as u64 - 1));
}

/// Two connections, one after the other, with three bytes to the server and two back each.
fn two_connections(sim: Sim) -> usize {
    sim.run(async {
        let server = start_server("127.0.0.1:7", async |mut reader, mut writer| {
            reader.read_exactly(3).await?;
            writer.write_all(b"ok").await?;
            Ok::<_, io::Error>(())
        });
        let _server = server.on_handler_error(|_| {}).await.unwrap();
        let mut right = 0;
        for _ in 0..2 {
            let asking = async {
                let (mut reader, mut writer) = open_connection("127.0.0.1:7").await?;
                writer.write(b"abc")?;
                reader.read_exactly(2).await?;
                Ok::<_, io::Error>(())
            };
            let answer = timeout(Duration::from_secs(60), asking).await;
            right += usize::from(matches!(answer, Ok(Ok(()))));
        }
        right
    })
}

#[test]
fn every_byte_of_every_connection_and_direction_is_cut_by_every_fault() {
    let mut cuts = Vec::new();
    let faults = [Fault::reset(), Fault::eof(), Fault::stall_forever()];
    let sweep = Sweep::every_byte(faults).seeds([5]);
    let summary: Summary = sweep.run(|sim, cut| {
        let right = two_connections(sim.rough());
        match cut {
            Some(cut) => cuts.push((cut.connection, cut.direction, cut.after)),
            None => assert_eq!(right, 2),
        }
        right
    });
    // In the calm world and in that of the seed.
    assert_eq!(summary.worlds(), 2 * 3 * 10);
    assert_eq!(summary.count("1"), 2 * 3 * 10, "{summary}");
    for connection in [1, 2] {
        for (direction, len) in [(Direction::ToServer, 3), (Direction::ToClient, 2)] {
            for after in 0..len {
                let cut = (connection, direction, after);
                let count = cuts.iter().filter(|it| **it == cut).count();
                assert_eq!(count, 2 * 3, "{cut:?}");
            }
        }
    }
    assert!(
        summary
            .to_string()
            .contains("first with Fault::reset().connection(1)")
    );
}

#[test]
#[should_panic(expected = "nothing is sent that could be cut")]
fn a_sweep_without_bytes_is_a_mistake() {
    Sweep::every_byte([Fault::eof()]).run(|sim, _| sim.run(async {}));
}

async fn two_lines(reader: &mut StreamReader, lines: &mut Vec<u8>) {
    while lines.len() < 4 {
        let line = reader.read_until(b"\n").await;
        lines.extend(line.expect("a line is lost"));
    }
}

/// Gives up reading two lines, and goes on with what was read before, or without it.
fn give_up_two_lines(keeps: bool) -> Summary {
    Sweep::every_poll().seeds(0..3).run(|sim, give_up| {
        sim.rough().run(async {
            let ((_r, mut writer), (mut reader, _w)) = world().connection(&StreamOptions::new());
            world().spawn(async move {
                for line in ["a\n", "b\n"] {
                    writer.write_all(line).await.unwrap();
                    world().sleep(Duration::from_secs(1)).await;
                }
            });
            let mut lines = Vec::new();
            let reading = two_lines(&mut reader, &mut lines);
            let read = give_up.around(reading).await;
            assert_eq!(read.is_none(), give_up.has_happened());
            if read.is_none() {
                if !keeps {
                    lines.clear();
                }
                two_lines(&mut reader, &mut lines).await;
            }
            assert_eq!(lines, b"a\nb\n");
        });
    })
}

#[test]
fn what_keeps_all_that_it_has_read_can_be_given_up_at_any_poll() {
    let summary = give_up_two_lines(true);
    assert!(summary.worlds() >= 2 * 4, "{summary}");
}

#[test]
#[should_panic(expected = "a line is lost")]
fn what_loses_a_line_when_it_is_given_up_is_found() {
    give_up_two_lines(false);
}

#[test]
#[should_panic(expected = "nothing was ever pending")]
fn a_sweep_without_a_poll_is_a_mistake() {
    Sweep::every_poll().run(|sim, _| sim.run(async {}));
}
