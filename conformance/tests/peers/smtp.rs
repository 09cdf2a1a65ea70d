//! Mails by openssl's `s_client -starttls smtp` and by Python's `smtplib`, to the server of the
//! examples.

use std::{
    fs::{self, File},
    net::Ipv4Addr,
    process::{Command, Stdio},
};

use futures_channel::mpsc;
use futures_util::StreamExt;
use millpond::{Stream, StreamServer};
use millpond_conformance::{Harness, run};
use millpond_examples::smtp::{LINE_LIMIT, Mail, serve};

use crate::{
    certificates::Certificates,
    common::{OnSmol, OnTokio, Peer, find},
};

const SESSION: &str = "\
EHLO localhost
MAIL FROM:<ada@example.org>
RCPT TO:<bob@example.org>
RCPT TO:<eve@example.org>
DATA
Subject: dots

..
one
.
QUIT
";

const SMTPLIB: &str = "
import smtplib, ssl, sys
with smtplib.SMTP('localhost', int(sys.argv[1]), timeout=60) as server:
    server.starttls(context=ssl.create_default_context(cafile='ca.pem'))
    to = ['bob@example.org', 'eve@example.org']
    server.sendmail('ada@example.org', to, 'Subject: dots\\n\\n.\\none')
";

fn mail() -> Mail {
    Mail {
        from: "ada@example.org".to_owned(),
        to: ["bob@example.org", "eve@example.org"]
            .map(ToOwned::to_owned)
            .to_vec(),
        lines: ["Subject: dots", "", ".", "one"]
            .map(ToOwned::to_owned)
            .to_vec(),
    }
}

fn a_mail_arrives<H: Harness>(name: &'static str, program: &str, client: fn(&mut Command, u16)) {
    let Some(program) = find(program) else {
        return;
    };
    run::<H>(name, move |runtime| {
        Box::pin(async move {
            let certificates = Certificates::new();
            let (sender, mut mails) = mpsc::unbounded();
            let tls = certificates.acceptor();
            let target = (Ipv4Addr::LOCALHOST, 0);
            let server = StreamServer::new(runtime.clone(), target, move |stream: Stream| {
                let sender = sender.clone();
                serve(stream, tls.clone(), move |mail| {
                    sender.unbounded_send(mail).unwrap()
                })
            })
            .limit(LINE_LIMIT);
            server.start_serving().await.unwrap();

            fs::write(certificates.path("session"), SESSION).unwrap();
            let session = File::open(certificates.path("session")).unwrap();
            let mut command = Command::new(program);
            client(&mut command, server.sockets()[0].tcp().unwrap().port());
            command
                .current_dir(&certificates.directory)
                .stdin(session)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            Peer::start(&mut command).succeed(&*runtime).await;
            assert_eq!(mails.next().await.unwrap(), mail());
            server.shutdown().await;
        })
    });
}

fn by_s_client(command: &mut Command, port: u16) {
    command
        .args(["s_client", "-starttls", "smtp", "-quiet", "-crlf"])
        .args(["-verify_return_error", "-verify_hostname", "localhost"])
        .args([
            "-CAfile",
            "ca.pem",
            "-connect",
            &format!("127.0.0.1:{port}"),
        ]);
}

fn by_smtplib(command: &mut Command, port: u16) {
    command.args(["-c", SMTPLIB, &port.to_string()]);
}

macro_rules! tests {
    ($($module:ident, $harness:ident;)*) => {
        $(
            mod $module {
                use super::{$harness, a_mail_arrives, by_s_client, by_smtplib};

                #[test]
                fn s_client() {
                    a_mail_arrives::<$harness>("s_client", "openssl", by_s_client);
                }

                #[test]
                fn smtplib() {
                    a_mail_arrives::<$harness>("smtplib", "python3", by_smtplib);
                }
            }
        )*
    };
}

tests! {
    on_tokio, OnTokio;
    on_smol, OnSmol;
}
