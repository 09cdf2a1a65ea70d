//! The macro, and the list of scenarios.

/// Makes a test of each scenario.
///
/// `suite!(MyHarness)` is all of them, `suite!(MyHarness: tcp, memory)` those of some groups; the
/// [crate docs](crate) say what the groups are. It goes where items go, once in a module.
///
/// # Examples
///
/// See the [crate docs](crate).
#[macro_export]
macro_rules! suite {
    ($harness:ty) => {
        $crate::suite!(
            $harness:
            tcp, unix, sock, memory, narrow, futures_io, drip, hesitant,
            tls, tls12, start_tls, tls_memory,
            tcp_server, unix_server, tls_server, runtime, tls_runtime, system
        );
    };
    ($harness:ty: $($group:ident),+ $(,)?) => {
        type SuiteHarness = $harness;
        $( $crate::__group!($group); )+
    };
}

/// A group of the suite: those scenarios that there are for its kind, at its place.
#[doc(hidden)]
#[macro_export]
macro_rules! __group {
    (tcp) => {
        $crate::__streams!($crate::__tests, [tcp, Tcp, all()]);
    };
    (unix) => {
        $crate::__streams!($crate::__tests, [unix, Unix, unix]);
    };
    (sock) => {
        $crate::__streams!($crate::__tests, [sock, Sock, all()]);
    };
    (memory) => {
        $crate::__streams!($crate::__tests, [memory, Memory, all()]);
    };
    (narrow) => {
        $crate::__streams!($crate::__tests, [narrow, Narrow, all()]);
    };
    (futures_io) => {
        $crate::__streams!($crate::__tests, [futures_io, FuturesIo, all()]);
    };
    (drip) => {
        $crate::__streams!($crate::__tests, [drip, Drip, all()]);
    };
    (hesitant) => {
        $crate::__streams!($crate::__tests, [hesitant, Hesitant, all()]);
    };
    (tls) => {
        $crate::__streams!($crate::__tests, [tls, Tls, all()]);
    };
    (tls12) => {
        $crate::__streams!($crate::__tests, [tls12, Tls12, all()]);
    };
    (start_tls) => {
        $crate::__streams!($crate::__tests, [start_tls, StartTls, all()]);
    };
    (tls_memory) => {
        $crate::__streams!($crate::__tests, [tls_memory, TlsMemory, all()]);
    };
    (tcp_server) => {
        $crate::__servers!($crate::__tests, [tcp_server, Tcp, all()]);
    };
    (unix_server) => {
        $crate::__servers!($crate::__tests, [unix_server, Unix, unix]);
    };
    (tls_server) => {
        $crate::__servers!($crate::__tests, [tls_server, Tls, all()]);
    };
    (runtime) => {
        $crate::__runtime!($crate::__tests, [runtime, Tcp, all()]);
    };
    (tls_runtime) => {
        $crate::__tls!($crate::__tests, [tls_runtime, Tcp, all()]);
    };
    (system) => {
        $crate::__system!($crate::__tests, [system, Tcp, all()]);
    };
}

/// A module of tests: a place and a list of scenarios.
#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    (
        [$group:ident, $place:ident, $condition:meta]
        $( $topic:ident { $( $(#[$attribute:meta])* $scenario:ident, )* } )*
    ) => {
        #[cfg($condition)]
        mod $group {
            $(
                mod $topic {
                    $(
                        #[test]
                        $(#[$attribute])*
                        fn $scenario() {
                            $crate::__private::check::<super::super::SuiteHarness>(
                                concat!(
                                    stringify!($group), "::",
                                    stringify!($topic), "::",
                                    stringify!($scenario)
                                ),
                                $crate::__private::Place::$place,
                                $crate::__private::boxed::$topic::$scenario,
                            );
                        }
                    )*
                }
            )*
        }
    };
}

/// Scenarios about two connected streams.
#[doc(hidden)]
#[macro_export]
macro_rules! __streams {
    ($with:path, $arguments:tt) => {
        $with! {
            $arguments
            reading {
                read_gives_what_is_there_and_never_more_than_asked,
                reads_of_nothing_do_not_wait,
                reads_wait_for_what_has_not_come,
                a_waiting_read_is_woken_by_what_comes,
                a_read_can_go_on_in_another_task,
                read_line_gives_lines_and_then_the_rest,
                read_exactly_joins_pieces_and_splits_them,
                read_until_finds_one_byte,
                read_until_finds_several_bytes_wherever_they_are_cut,
                read_until_finds_whichever_of_a_set_ends_first,
                read_to_eof_gives_everything,
                peek_takes_nothing,
                lines_come_until_the_end,
                reads_can_lend_what_they_return,
                what_has_arrived_can_be_looked_at_and_dropped,
                reads_of_all_kinds_can_be_mixed,
                every_byte_arrives_as_it_was_sent,
                a_message_may_be_larger_than_the_limit,
            }
            ending {
                an_end_within_a_separator_hands_over_what_was_left,
                an_end_within_exactly_n_bytes_hands_over_what_was_left,
                every_read_tells_an_end_at_any_position,
                the_end_comes_behind_the_last_byte,
                an_end_stays_an_end,
                a_waiting_read_is_woken_by_the_end,
            }
            signals {
                #[cfg(unix)]
                a_peer_that_has_left_is_an_error_and_no_signal,
            }
            thread_locals {
                a_stream_can_be_left_to_the_end_of_its_thread,
            }
            limits {
                the_limit_counts_the_bytes_before_the_separator,
                a_separator_may_be_longer_than_the_limit,
                an_overrun_of_read_until_takes_nothing,
                an_overrun_comes_before_the_separator_does,
                a_line_that_is_too_long_is_skipped_as_a_whole,
                what_is_skipped_of_a_line_is_gone_for_every_read,
                a_flood_without_separator_is_not_buffered,
                more_than_the_cap_is_refused_before_it_is_waited_for,
                read_to_eof_stops_above_the_cap_and_keeps_what_came,
                a_parser_that_never_has_enough_is_stopped_at_the_cap,
                the_limit_can_be_changed,
            }
            writing {
                what_is_written_arrives_in_order,
                writes_of_nothing_send_nothing,
                many_pieces_can_be_written_at_once,
                writes_are_delivered_though_nobody_awaits,
                large_pieces_and_small_ones_keep_their_order,
                any_thread_can_write,
                dropping_the_writer_delivers_everything_and_then_the_end,
                dropping_both_halves_delivers_everything_and_then_the_end,
                dropping_the_reader_does_not_matter_to_the_writer,
                flush_waits_until_nothing_is_queued,
                writing_after_write_eof_is_an_error,
                a_cork_holds_small_writes_back_until_it_goes,
                a_cork_lets_go_of_what_somebody_waits_for,
                what_is_written_under_corks_keeps_its_order,
                more_than_the_write_cap_is_refused_as_a_whole,
                each_side_knows_both_addresses,
            }
            draining {
                drain_does_not_wait_at_the_high_watermark,
                drain_waits_above_the_high_watermark_and_resumes_at_the_low_one,
                a_paused_writer_is_not_drained_above_the_low_watermark,
                whoever_drains_is_woken_at_the_low_watermark,
                a_writer_that_drains_queues_one_write_above_the_high_watermark,
                watermarks_of_nothing_wait_until_everything_is_sent,
                a_reader_that_is_not_asked_reads_nothing,
                both_watermarks_hold_for_each_direction_alone,
                watermarks_can_be_changed_while_writing_is_paused,
            }
            half_closing {
                the_client_can_end_first,
                the_server_can_end_first,
                both_sides_can_end_at_once,
                the_end_comes_behind_everything_queued,
                an_end_leaves_the_other_direction_open_for_long,
            }
            closing {
                close_delivers_what_is_queued,
                close_ends_what_this_side_reads,
                close_wakes_a_read_that_waits,
                what_arrived_before_close_can_still_be_read,
                what_arrived_and_was_not_read_before_close_can_still_be_read,
                wait_closed_waits_for_the_peer_to_take_everything,
                wait_closed_can_be_dropped_after_every_poll,
                wait_closed_waits_for_a_close,
                nothing_can_be_written_after_close,
                close_after_write_eof_ends_the_other_direction_too,
                both_sides_can_close_at_once,
                unread_input_does_not_destroy_what_was_written,
                a_peer_may_write_on_after_this_side_has_closed,
                a_close_takes_along_what_a_cork_holds_back,
                a_peer_that_takes_nothing_is_given_up_after_the_close_timeout,
                a_close_that_may_take_no_time_gives_up_what_cannot_be_sent_at_once,
                a_closed_stream_takes_what_comes_no_longer_than_the_close_timeout,
            }
            leaving {
                closed_waits_for_the_peers_end_and_takes_nothing,
                closed_tells_of_a_reset_and_the_writer_knows,
                a_read_and_closed_wait_at_once,
                closed_dropped_after_every_poll_loses_nothing,
                closed_keeps_no_more_than_the_limit_for_the_reader,
                without_a_reader_closed_sees_the_end_behind_everything,
                closed_ends_when_this_side_closes_or_aborts,
                a_loop_that_only_looks_ends_when_the_peer_has_left,
                a_loop_that_only_looks_ends_after_a_reset,
            }
            aborting {
                abort_drops_what_is_queued,
                the_peer_is_told_of_an_abort,
                reads_of_this_side_fail_after_abort,
                what_arrived_before_abort_can_still_be_read,
                nothing_can_be_written_after_abort,
                abort_wakes_a_drain_that_waits,
                abort_ends_a_close_that_takes_too_long,
            }
            resets {
                what_arrived_before_a_reset_can_be_read,
                a_reset_stays_a_reset,
                writes_fail_after_a_reset_and_go_on_failing,
                the_write_after_a_reset_that_was_read_fails,
                the_writer_knows_of_a_reset_that_was_read,
                a_reset_is_no_end_though_the_writer_was_told_first,
                a_reset_is_no_end_though_an_end_was_sent_before_it_was_read,
                a_reset_fails_everything_that_waits,
                a_reset_fails_a_close_that_waits,
                a_proper_end_stays_one_though_a_reset_follows,
            }
            cancelling {
                a_read_dropped_at_any_await_can_be_asked_again,
                a_read_dropped_at_any_await_leaves_all_to_another_one,
                a_read_dropped_after_every_poll_ends_nevertheless,
                a_large_read_dropped_again_and_again_loses_nothing,
                drain_and_flush_can_be_dropped_after_every_poll,
                a_write_all_that_is_dropped_has_written_all,
            }
            streams {
                a_stream_reads_as_its_reader_does,
                a_stream_writes_as_its_writer_does,
                a_stream_can_be_aborted,
                both_halves_of_a_stream_work_at_once,
                only_halves_of_one_stream_make_one,
                dropping_a_stream_delivers_what_is_queued_and_closes_it,
                a_transport_wakes_a_read_that_waits,
                a_transport_wakes_a_drain_that_waits,
                a_transport_does_not_keep_a_connection,
                a_read_that_takes_too_long_can_be_asked_again,
            }
            introspection {
                both_sides_and_all_handles_tell_the_same_addresses,
                what_is_known_has_the_names_of_asyncio,
                a_socket_of_the_system_can_be_reached_until_the_stream_is_closed,
                descriptions_tell_how_a_stream_stands_but_none_of_its_bytes,
                descriptions_tell_of_a_failure,
            }
            traffic {
                both_directions_carry_much_at_once,
                small_messages_go_to_and_fro,
                messages_sent_ahead_are_answered_in_order,
                many_streams_work_at_once,
                a_stream_that_never_waits_gives_way,
                whoever_waits_is_left_in_peace,
            }
        }
    };
}

/// Scenarios about a server and its clients.
#[doc(hidden)]
#[macro_export]
macro_rules! __servers {
    ($with:path, $arguments:tt) => {
        $with! {
            $arguments
            serving {
                several_connections_are_served_at_once,
                many_clients_can_connect_at_once,
                a_server_can_close_a_stream_by_returning,
                halves_that_outlive_their_handler_are_closed,
                a_handler_that_fails_is_reported_and_the_others_go_on,
                a_handler_that_panics_is_reported_and_the_others_go_on,
                a_server_that_is_closed_accepts_nobody,
                a_server_that_is_dropped_accepts_nobody,
                wait_closed_waits_for_the_handlers,
                a_waiting_wait_closed_is_woken_by_the_last_handler,
                serve_forever_ends_when_the_server_is_closed,
                an_address_is_free_again_when_its_server_is_closed,
                an_address_in_use_is_an_error_that_names_it,
                options_reach_the_streams_of_handlers,
                a_handler_that_only_reads_gets_everything,
                requests_sent_ahead_are_answered_in_order,
                what_a_handler_writes_leaves_when_it_waits,
                a_handler_can_outlive_its_stream,
                a_handler_can_abort_its_stream,
            }
            shutting_down {
                a_server_without_connections_is_shut_down_at_once,
                what_busy_handlers_write_is_delivered_by_a_shutdown,
                handlers_that_wait_for_a_next_request_are_ended_at_once,
                a_handler_in_the_middle_of_a_request_gets_the_time,
                a_client_that_has_never_said_anything_is_not_waited_for,
                idle_handlers_that_are_left_alone_are_ended_by_the_second_stage,
                handlers_that_wait_for_ever_are_cancelled_and_reported,
                a_client_that_takes_nothing_does_not_hold_up_a_shutdown,
                a_shutdown_can_be_dropped_at_any_await_and_called_again,
                a_server_can_be_shut_down_in_a_flood_of_connections,
                wait_closed_waits_for_a_slow_client_to_get_everything,
                a_slow_client_that_keeps_sending_gets_everything,
                close_clients_ends_handlers_and_goes_on_accepting,
                abort_clients_delivers_nothing_more,
            }
        }
    };
}

/// Scenarios about a runtime.
#[doc(hidden)]
#[macro_export]
macro_rules! __runtime {
    ($with:path, $arguments:tt) => {
        $with! {
            $arguments
            opening {
                everything_that_names_an_address_can_be_connected_to,
                a_host_name_is_resolved,
                #[cfg(any(target_os = "linux", target_os = "android"))]
                a_unix_server_whose_backlog_is_full_is_waited_for,
                #[cfg(any(target_os = "linux", target_os = "android"))]
                an_abstract_address_can_be_served_and_connected_to,
                a_server_gets_a_port_from_the_system,
                a_server_can_listen_on_several_addresses,
                a_refusal_names_the_address,
                every_address_is_tried_until_one_answers,
                an_unknown_host_is_an_error_that_names_it,
                options_that_cannot_be_are_refused_before_connecting,
                addresses_that_cannot_be_are_refused,
                #[cfg(unix)]
                paths_that_cannot_be_are_refused,
                options_reach_the_streams_of_clients,
                connecting_can_be_given_up_at_any_await,
            }
            connecting {
                several_hosts_can_be_connected_to,
                an_ipv6_address_can_be_in_brackets,
                a_family_is_kept_to,
                a_protocol_can_be_chosen,
                flags_reach_the_resolver,
                a_local_address_is_what_the_server_sees,
                a_local_port_can_be_given,
                a_connection_to_itself_is_refused_and_gives_the_port_back,
                a_local_address_that_cannot_be_is_an_error_that_says_so,
                both_halves_can_be_had_in_one,
                a_server_tells_where_it_listens_and_how_it_stands,
                #[cfg(unix)]
                a_unix_server_that_is_busy_is_waited_for,
                #[cfg(unix)]
                waiting_for_a_busy_server_ends_in_time,
                #[cfg(any(target_os = "linux", target_os = "android"))]
                an_abstract_address_can_be_connected_to,
            }
            binding {
                nobody_can_connect_before_the_server_has_started,
                serve_forever_starts_a_server,
                a_server_that_never_started_can_be_closed,
                a_stream_server_can_be_bound_started_and_closed_again_and_again,
                a_stream_server_serves_for_ever_and_can_be_closed_then,
                a_stream_server_is_closed_while_it_serves_for_ever,
                all_addresses_of_hosts_get_the_same_port_and_each_is_taken_once,
                an_empty_host_is_all_interfaces,
                an_address_of_another_machine_is_left_out_if_one_is_left,
                an_address_in_use_leaves_nothing_bound,
                #[cfg(unix)]
                servers_share_a_port_if_all_say_so,
                a_flood_never_has_more_handlers_than_may_be,
                a_silent_connection_is_reset_and_its_handler_told_why,
                a_handler_that_waits_elsewhere_does_not_keep_an_idle_connections_place,
                silent_clients_that_have_had_their_answer_keep_nobody_out,
                a_server_that_says_nothing_is_given_up_after_the_idle_timeout,
                #[cfg(unix)]
                clients_of_a_path_wait_until_the_server_has_started,
                #[cfg(any(target_os = "linux", target_os = "android"))]
                an_abstract_address_can_be_listened_on,
            }
            duties {
                sleep_takes_as_long_as_it_should,
                sleeps_go_on_side_by_side,
                what_takes_too_long_can_be_given_up,
                a_spawned_task_runs_though_nobody_waits_for_it,
                tasks_can_be_spawned_from_any_thread,
                a_name_resolves_to_addresses_with_the_port,
                a_listener_tells_its_address_and_accepts,
                an_attempt_to_connect_to_nobody_is_refused,
                close_ends_a_read_that_is_just_about_to_wait,
                abort_ends_a_read_that_is_just_about_to_wait,
            }
        }
    };
}

/// Scenarios about what the system has: its sockets, files and pipes.
#[doc(hidden)]
#[macro_export]
macro_rules! __system {
    ($with:path, $arguments:tt) => {
        $with! {
            $arguments
            adopting {
                a_socket_can_be_taken_over,
                a_listening_socket_can_be_taken_over,
                #[cfg(unix)]
                unix_sockets_can_be_taken_over,
                #[cfg(unix)]
                the_path_that_a_dead_server_left_is_replaced,
                #[cfg(unix)]
                a_file_in_the_way_of_a_server_is_left_alone,
                sockets_and_sleeps_can_be_made_on_any_thread,
                tcp_sockets_send_at_once,
                settings_reach_the_sockets_of_clients,
                settings_reach_the_sockets_that_are_taken_over,
                any_socket_of_the_runtime_can_be_given,
                attempts_that_lose_are_closed,
                a_socket_that_is_taken_over_can_be_upgraded,
                a_name_must_be_given_for_a_socket_that_is_taken_over,
                #[cfg(unix)]
                descriptors_of_streams_can_be_taken_over,
                #[cfg(unix)]
                a_datagram_socket_is_refused,
                a_socket_that_was_given_can_be_bound_only_once,
                #[cfg(unix)]
                a_path_is_taken_from_the_dead_and_not_from_the_living,
                #[cfg(unix)]
                only_a_path_of_its_own_is_removed,
                #[cfg(any(target_os = "linux", target_os = "android"))]
                backlogs_are_what_they_should_be,
                #[cfg(any(target_os = "linux", target_os = "android"))]
                the_mode_of_a_path_is_what_was_asked_for,
            }
            pipes {
                #[cfg(unix)]
                what_is_written_to_a_pipe_can_be_read,
                #[cfg(unix)]
                the_end_comes_behind_the_last_byte,
                #[cfg(unix)]
                much_arrives_as_it_was_sent,
                #[cfg(unix)]
                a_file_is_read_to_its_end,
                #[cfg(unix)]
                a_file_is_written_when_the_stream_is_closed,
                #[cfg(unix)]
                the_null_device_takes_everything_and_gives_nothing,
                #[cfg(unix)]
                a_child_can_be_listened_to_line_by_line,
                #[cfg(unix)]
                what_a_child_is_given_comes_back,
                #[cfg(unix)]
                a_writer_pauses_when_nobody_reads,
                #[cfg(unix)]
                a_producer_is_stopped_when_nobody_asks,
                #[cfg(unix)]
                each_direction_refuses_the_other_one,
                #[cfg(unix)]
                each_half_knows_its_direction,
                #[cfg(unix)]
                a_writer_is_told_that_its_reader_is_gone,
                #[cfg(unix)]
                a_writer_that_waits_is_told_that_its_reader_is_gone,
                #[cfg(unix)]
                a_read_of_a_pipe_dropped_at_any_await_loses_nothing,
                #[cfg(unix)]
                dropping_the_stream_closes_the_pipe,
                #[cfg(unix)]
                closing_the_stream_closes_the_pipe,
                #[cfg(unix)]
                aborting_the_stream_closes_the_pipe,
                #[cfg(unix)]
                close_ends_a_read_of_a_pipe_that_waits,
                #[cfg(unix)]
                the_half_without_a_direction_can_be_dropped,
                #[cfg(unix)]
                closing_waits_until_everything_is_written,
                #[cfg(unix)]
                flush_waits_until_everything_is_written,
                #[cfg(unix)]
                flush_reports_what_a_write_has_failed_with,
                #[cfg(unix)]
                what_comes_after_a_stream_was_dropped_is_left_to_others,
                #[cfg(unix)]
                what_is_no_pipe_is_refused,
                #[cfg(unix)]
                options_reach_the_streams_of_pipes,
            }
        }
    };
}

/// Scenarios about TLS: how it begins and ends.
#[doc(hidden)]
#[macro_export]
macro_rules! __tls {
    ($with:path, $arguments:tt) => {
        $with! {
            $arguments
            trusting {
                the_host_is_whose_certificate_is_asked_for,
                an_ipv6_address_is_a_name_too,
                a_name_must_be_given_where_there_is_no_host,
                #[cfg(unix)]
                a_unix_socket_can_have_tls_and_needs_a_name,
                a_certificate_that_is_no_good_is_refused,
                the_systems_authorities_do_not_vouch_for_a_made_up_one,
                a_client_shows_its_certificate_to_a_server_that_asks,
                a_client_that_is_refused_is_told_so_though_it_only_writes,
                a_protocol_is_agreed_on_or_there_is_none,
                whole_configurations_are_taken_as_they_are,
                both_sides_know_how_they_are_protected,
                a_stream_and_its_server_have_the_same_settings,
            }
            handshakes {
                whatever_is_no_handshake_is_reported_and_the_server_goes_on,
                a_client_without_tls_is_told_by_an_alert,
                a_client_that_leaves_in_the_handshake_is_reported,
                a_server_without_tls_is_no_peer_for_a_client_with_it,
                a_server_that_leaves_in_the_handshake_is_an_error,
                a_stalled_handshake_holds_up_nobody,
                a_stalled_handshake_ends_in_time,
                a_client_that_says_nothing_has_a_kind_of_its_own,
                a_client_that_feeds_a_handshake_drop_by_drop_ends_in_time,
                a_stalled_handshake_counts_as_a_connection,
                a_stalled_handshake_is_ended_with_its_server,
                a_server_that_is_closed_waits_for_a_handshake,
                a_client_waits_for_a_mute_server_no_longer_than_it_may,
                opening_can_be_given_up_at_any_await_of_the_handshake,
                a_client_that_gives_up_leaves_a_mute_server,
                many_handshakes_are_made_at_once,
                what_follows_a_handshake_at_once_is_read,
                a_report_that_panics_does_not_end_the_server,
            }
            broken_handshakes {
                a_client_that_leaves_behind_any_byte_is_reported,
                a_server_that_leaves_behind_any_byte_is_an_error,
            }
            starting_tls {
                a_stream_goes_on_protected,
                the_host_that_was_connected_to_is_asked_for,
                limit_and_watermarks_are_kept,
                what_is_queued_goes_first_and_in_the_clear,
                what_was_received_and_not_read_is_refused,
                what_was_received_in_the_clear_never_comes_out_after,
                what_came_too_early_can_be_handed_over,
                a_handshake_that_fails_ends_the_stream,
                a_handshake_that_takes_too_long_ends_the_stream,
                an_upgrade_dropped_at_any_await_ends_the_stream,
                an_upgrade_dropped_while_the_queue_is_sent_ends_the_stream,
                an_upgrade_can_be_ended_from_elsewhere,
                nothing_can_be_upgraded_after_the_end,
                a_peer_that_has_ended_cannot_shake_hands,
                tls_can_begin_within_tls,
                any_socket_can_be_upgraded,
                halves_of_different_streams_are_refused,
                an_upgrade_that_is_not_awaited_does_nothing,
                an_upgrade_in_a_select_ends_the_stream_if_it_loses,
            }
            ending_tls {
                a_connection_that_is_cut_is_truncated_behind_all_that_came,
                a_truncation_can_be_taken_for_the_end,
                a_read_that_waits_is_told_of_a_truncation,
                an_end_that_the_peer_has_said_is_one_though_the_connection_is_cut,
                one_direction_cannot_be_ended_alone_by_default,
                the_peers_end_is_that_of_both_directions,
                a_writer_that_never_reads_learns_of_the_peers_end,
                a_writer_that_never_reads_learns_of_a_cut,
            }
        }
    };
}

/// Each scenario as a function that gives a boxed future. Those that the lists leave out are dead
/// code, and the compiler says so.
#[doc(hidden)]
pub mod boxed {
    use millpond::BoxFuture;

    use crate::setup::Setup;

    macro_rules! boxed {
        ([] $( $topic:ident { $( $(#[$attribute:meta])* $scenario:ident, )* } )*) => {
            $(
                pub mod $topic {
                    #[allow(unused_imports, reason = "a topic may have nothing on some systems")]
                    use super::*;

                    $(
                        $(#[$attribute])*
                        pub fn $scenario(setup: Setup) -> BoxFuture<'static, ()> {
                            Box::pin(crate::scenarios::$topic::$scenario(setup))
                        }
                    )*
                }
            )*
        };
    }

    crate::__streams!(boxed, []);
    crate::__servers!(boxed, []);
    crate::__runtime!(boxed, []);
    crate::__system!(boxed, []);
    crate::__tls!(boxed, []);
}
