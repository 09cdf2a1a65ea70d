//! Those that need the sockets of the system: they are of the topic `adopting`.

use super::*;

pub(crate) async fn a_socket_that_is_taken_over_can_be_upgraded(setup: Setup) {
    let (near, far) = os::socket_pair().unwrap();
    let (near, far) = (setup.open(near).await, setup.open(far).await);
    let (mut near, mut far) = (whole(near.unwrap()), whole(far.unwrap()));
    begin(&mut near, &mut far).await;
    assert_talks(&mut near, &mut far).await;
}
