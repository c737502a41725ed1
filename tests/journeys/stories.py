"""Which test holds each of the fifty offline stories, and what the others wait for.

`HELD` names tests as `path::function`; a story may need several. `WAITS` says which capability
a story, or the rest of one, waits for; the part that is there then stands in `HELD`.
"""

from collections.abc import Mapping

_PHONES = "tests/journeys/test_phones.py::"
_WORK = "tests/journeys/test_work.py::"
_BOUNDARIES = "tests/journeys/test_boundaries.py::"
_SERVER = "tests/server/"

HELD: Mapping[int, tuple[str, ...]] = {
    1: (f"{_PHONES}test_two_reports_of_one_thing_join_when_the_second_names_the_first",),
    2: (f"{_SERVER}test_merging.py::test_a_duplicate_incident_hands_over_its_reports",),
    3: (f"{_PHONES}test_the_same_upload_twice_makes_nothing_new",),
    4: (f"{_PHONES}test_a_batch_that_is_cut_keeps_what_arrived_and_the_rest_follows",),
    5: (
        f"{_SERVER}test_parked.py::test_an_update_and_a_visit_that_came_before_the_household_are_applied_with_it",
        f"{_SERVER}test_parked.py::test_after_five_days_it_is_shown_as_an_orphan_and_stays",
    ),
    6: (f"{_WORK}test_work_done_before_it_was_reassigned_is_credited_to_who_did_it",),
    7: (f"{_WORK}test_when_two_worked_the_first_completion_counts_and_the_other_is_kept",),
    8: (f"{_WORK}test_work_done_on_a_case_that_was_voided_is_kept_and_the_case_stays_voided",),
    9: (f"{_WORK}test_work_done_after_a_citizen_closed_the_case_adds_evidence_only",),
    10: (f"{_WORK}test_a_double_tap_on_complete_counts_once",),
    11: (f"{_WORK}test_late_is_when_it_was_done_not_when_it_was_handed_in",),
    12: (f"{_WORK}test_late_is_when_it_was_done_not_when_it_was_handed_in",),
    13: (f"{_BOUNDARIES}test_a_grid_is_split_while_its_worker_is_out_of_reach",),
    14: (f"{_BOUNDARIES}test_a_boundary_that_moves_under_an_open_case_leaves_it_if_asked_to",),
    15: (f"{_PHONES}test_a_place_on_the_edge_is_marked_uncertain_and_owned_by_one_grid",),
    17: (f"{_PHONES}test_a_place_outside_all_grids_is_taken_in_for_its_reporter",),
    18: (
        f"{_PHONES}test_two_values_of_one_field_wait_for_a_person_and_disjoint_ones_merge",
        f"{_SERVER}test_conflict_inbox.py::test_who_moved_out_stays_until_a_person_has_looked_at_both",
    ),
    19: (
        f"{_PHONES}test_two_values_of_one_field_wait_for_a_person_and_disjoint_ones_merge",
        f"{_SERVER}test_conflict_inbox.py::test_the_phone_whose_value_lost_learns_it_from_the_feed",
    ),
    20: (
        f"{_SERVER}test_merging.py::test_what_phones_say_later_counts_where_it_was_merged_into",
        f"{_SERVER}test_duplicates.py::test_a_family_entered_twice_is_suggested_until_somebody_says_otherwise",
    ),
    21: (
        f"{_PHONES}test_a_household_made_offline_with_its_visit_and_residents_lands_in_order",
    ),
    22: (
        f"{_SERVER}test_erasure.py::test_what_was_written_offline_is_answered_and_only_facts_are_kept",
        "tests/clients/test_erased.py::test_a_phone_holds_no_byte_of_them_after_its_next_contact",
    ),
    24: (f"{_PHONES}test_a_wrong_clock_of_one_boot_is_corrected_exactly",),
    25: (f"{_PHONES}test_a_wrong_clock_of_one_boot_is_corrected_exactly",),
    26: (f"{_PHONES}test_a_restart_with_a_wrong_clock_is_estimated_and_says_so",),
    27: (
        f"{_SERVER}test_inbox_many.py::test_a_lost_phone_what_was_done_before_the_loss_counts_the_rest_does_not",
        f"{_SERVER}test_inbox_many.py::test_a_revoked_phone_is_told_to_drop_everything_on_every_contact",
    ),
    28: (
        f"{_SERVER}test_inbox_many.py::test_a_phone_found_again_sends_the_rest_under_a_new_id_and_nothing_counts_twice",
    ),
    29: (
        f"{_SERVER}test_actors.py::test_a_phone_handed_over_offline_each_ones_work_is_each_ones",
    ),
    30: (
        f"{_SERVER}test_authority.py::test_a_day_that_spans_the_loss_is_split_at_it_and_the_phone_drops_the_grid",
    ),
    31: (
        f"{_SERVER}test_authority.py::test_rights_were_narrowed_facts_count_and_edits_are_for_the_new_owner_to_see",
    ),
    32: (
        "tests/media/test_media.py::test_a_record_is_whole_for_everybody_before_its_photo_is_there",
    ),
    33: (
        "tests/media/test_media.py::test_a_photo_that_never_came_is_missing_after_a_week_and_still_welcome",
    ),
    34: (
        "tests/media/test_media.py::test_a_photo_that_comes_before_its_record_is_kept_and_attached_later",
    ),
    37: (
        "tests/clients/test_app_update.py::test_a_newer_server_reads_the_older_app_and_tells_it_to_update",
        "tests/protocol/test_app_versions.py::test_the_bytes_of_every_released_app_are_still_taken",
    ),
    39: (f"{_WORK}test_a_priority_that_is_raised_during_an_offline_start_stands_beside_it",),
    40: (f"{_WORK}test_what_was_asked_before_it_was_due_keeps_the_time_of_asking",),
    41: (f"{_WORK}test_a_complaint_after_a_pass_reopens_once_and_both_stay_visible",),
    42: (f"{_WORK}test_an_urgent_report_is_with_the_office_before_any_photo_of_it",),
    43: (f"{_WORK}test_of_two_dispatchers_the_second_is_told_and_nothing_is_overwritten",),
    44: (f"{_WORK}test_a_check_in_on_site_without_network_counts_at_its_true_time",),
    45: (
        "tests/clients/test_catching_up.py::test_twenty_days_away_with_nine_hundred_mutations_ends_well",
    ),
    47: (
        f"{_PHONES}test_a_visit_where_nobody_should_visit_is_kept_and_the_wish_is_shown_next",
    ),
}

WAITS: Mapping[int, str] = {
    1: "duplicates found by class, radius and time",
    2: "un-merging incidents",
    7: "a notice of a possible double trip",
    15: "coordination of neighbouring grids",
    16: "doubt about a datum that looks wrong",
    17: "the nearest community as owner",
    23: "service needs with consent and expiry",
    32: "the rule that closing needs a photo afterwards",
    35: "marks on photos that do not fit",
    36: "forms in versions",
    38: "classes that were renamed or removed",
    40: "granting of extensions",
    44: "joint calls",
    46: "work carried by another phone",
    48: "working calendars",
    49: "the register of components",
    50: "words in free text that are held back",
}
