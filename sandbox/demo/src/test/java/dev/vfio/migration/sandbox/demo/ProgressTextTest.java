package dev.vfio.migration.sandbox.demo;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the demo shows is what the status says. */
class ProgressTextTest {
  private static final String STATUS =
      """
      {"status": {"phase": "PreCopy", "sourceState": "PRECOPY", "destinationState": "RESUME",
        "pending": {"precopyOnly": 1048576, "compatible": 2097152, "postcopyOnly": 512,
                    "memory": 1023, "total": 3146240},
        "transferredBytes": 9441789, "rate": "64Mi/s", "bytesPerSecond": 67108864, "dirtyPages": 12,
        "conditions": [
          {"type": "Validated", "status": "True", "reason": "Accepted", "message": "both ends"},
          {"type": "Succeeded", "status": "False", "reason": "StreamBroken", "message": "cut"}]}}
      """;

  private static MigrationView view(String json) throws Exception {
    return MigrationView.of(new ObjectMapper().readTree(json));
  }

  @Test
  void a_line_tells_phase_states_pending_by_class_memory_rate_and_a_bar() throws Exception {
    assertThat(ProgressText.line(1.5, view(STATUS)))
        .contains("1.50 s")
        .contains("PreCopy")
        .contains("source PRECOPY")
        .contains("destination RESUME")
        .contains("pending 1.0 MiB + 2.0 MiB + 512 B")
        .contains("memory 1023 B")
        .contains("64.0 MiB/s")
        .endsWith("[########################--------]  75 %");
  }

  @Test
  void a_block_fits_a_terminal_of_eighty_columns() throws Exception {
    assertThat(ProgressText.block(123.4, view(STATUS)))
        .allSatisfy(line -> assertThat(line.length()).isLessThanOrEqualTo(80));
  }

  @Test
  void an_object_without_a_status_shows_nothing_moved() throws Exception {
    MigrationView view = view("{}");

    assertThat(view.ended()).isFalse();
    assertThat(view.fraction()).isZero();
    assertThat(ProgressText.line(0, view)).endsWith("[--------------------------------]   0 %");
  }

  /** From RollingBack on a status has nothing pending: that is not because all of it was moved. */
  @ParameterizedTest
  @ValueSource(strings = {"RollingBack", "Failed", "Cancelled"})
  void a_copy_that_was_given_up_is_no_full_bar(String phase) throws Exception {
    MigrationView view =
        view("{\"status\": {\"phase\": \"" + phase + "\", \"transferredBytes\": 67893280}}");

    assertThat(view.fraction()).isZero();
    assertThat(ProgressText.line(1, view))
        .contains("pending -  memory -  sent 64.7 MiB")
        .endsWith("the copy is given up")
        .doesNotContain("100 %");
    assertThat(ProgressText.block(1, view))
        .allSatisfy(line -> assertThat(line).hasSizeLessThan(81).doesNotContain("100 %"));
  }

  @Test
  void what_went_wrong_is_found_in_the_conditions() throws Exception {
    assertThat(view(STATUS).refusals())
        .extracting(MigrationView.Condition::reason)
        .containsExactly("StreamBroken");
  }

  @Test
  void sizes_are_written_with_the_unit_that_fits() {
    assertThat(ProgressText.bytes(0)).isEqualTo("0 B");
    assertThat(ProgressText.bytes(1024)).isEqualTo("1.0 KiB");
    assertThat(ProgressText.bytes(8L << 30)).isEqualTo("8.0 GiB");
    assertThat(ProgressText.bytes(Long.MAX_VALUE)).isEqualTo("8.0 EiB");
  }

  @Test
  void without_a_terminal_there_is_one_line_for_each_change() throws Exception {
    ByteArrayOutputStream written = new ByteArrayOutputStream();
    Screen screen = new Screen(new PrintStream(written, true, StandardCharsets.UTF_8), false);
    screen.show(view(STATUS));
    screen.show(view(STATUS));
    screen.show(view("{\"status\": {\"phase\": \"Succeeded\"}}"));

    assertThat(written.toString(StandardCharsets.UTF_8).lines()).hasSize(2);
    assertThat(written.toString(StandardCharsets.UTF_8)).doesNotContain("\u001b");
  }

  @Test
  void on_a_terminal_the_block_is_drawn_in_place() throws Exception {
    ByteArrayOutputStream written = new ByteArrayOutputStream();
    Screen screen = new Screen(new PrintStream(written, true, StandardCharsets.UTF_8), true);
    screen.show(view(STATUS));
    screen.show(view("{\"status\": {\"phase\": \"Succeeded\"}}"));

    assertThat(written.toString(StandardCharsets.UTF_8)).contains("\u001b[6A\u001b[J");
  }
}
