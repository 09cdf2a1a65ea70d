//! Ending one direction while the other one goes on.

use crate::{
    data,
    setup::{Setup, Stream},
};

/// Ends the direction from `asking`, and checks that the other one goes on.
async fn ask_and_answer(setup: &Setup, asking: Stream, answering: Stream) {
    let volume = setup.place.volume() / 8;
    let (question, answer) = (data::bytes(1, volume), data::bytes(2, volume));
    let (expected, to_send) = (question.clone(), answer.clone());
    let (mut request, mut reply) = answering;
    let answered = setup.spawn(async move {
        let received = request.read_to_eof().await.unwrap();
        data::assert_same(&received, &expected);
        for piece in to_send.chunks(1000) {
            reply.write_all(piece).await.unwrap();
        }
        reply.write_eof().unwrap();
        (request, reply)
    });
    let (mut reader, mut writer) = asking;
    writer.write(&question).unwrap();
    writer.write_eof().unwrap();
    let received = reader.read_to_eof().await.unwrap();
    data::assert_same(&received, &answer);
    answered.await;
}

pub(crate) async fn the_client_can_end_first(mut setup: Setup) {
    let (near, far) = setup.connect().await;
    ask_and_answer(&setup, near, far).await;
}

pub(crate) async fn the_server_can_end_first(mut setup: Setup) {
    let (near, far) = setup.connect().await;
    ask_and_answer(&setup, far, near).await;
}

pub(crate) async fn both_sides_can_end_at_once(mut setup: Setup) {
    let (near, far) = setup.connect().await;
    let (mut near_reader, mut near_writer) = near;
    let (mut far_reader, mut far_writer) = far;
    near_writer.write(b"from near").unwrap();
    far_writer.write(b"from far").unwrap();
    near_writer.write_eof().unwrap();
    far_writer.write_eof().unwrap();
    assert_eq!(near_reader.read_to_eof().await.unwrap(), "from far");
    assert_eq!(far_reader.read_to_eof().await.unwrap(), "from near");
}

pub(crate) async fn the_end_comes_behind_everything_queued(mut setup: Setup) {
    let (mut writer, mut reader) = setup.one_way_with(setup.tight()).await;
    let sent = setup.fill(&mut writer);
    writer.write_eof().unwrap();
    assert!(writer.queued() > 0);
    data::assert_same(&reader.read_to_eof().await.unwrap(), &sent);
    writer.flush().await.unwrap();
}

pub(crate) async fn an_end_leaves_the_other_direction_open_for_long(mut setup: Setup) {
    let ((mut reader, mut writer), (mut far_reader, mut far_writer)) = setup.connect().await;
    writer.write_eof().unwrap();
    assert_eq!(far_reader.read(1).await.unwrap(), "");
    for line in ["one\n", "two\n", "three\n"] {
        setup.stays_pending(reader.read_line()).await;
        far_writer.write(line.as_bytes()).unwrap();
        assert_eq!(reader.read_line().await.unwrap(), line);
    }
    assert!(!writer.is_closing());
}
