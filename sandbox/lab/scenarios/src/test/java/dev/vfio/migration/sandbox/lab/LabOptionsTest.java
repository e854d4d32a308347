package dev.vfio.migration.sandbox.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What the lab is told is understood or refused with its name. */
class LabOptionsTest {
  private static final List<String> ENOUGH =
      List.of(
          "--work",
          "/lab/work",
          "--workload",
          "/lab/workload",
          "--guest-a-channel",
          "/lab/a.sock",
          "--guest-b-channel",
          "/lab/b.sock",
          "--address-a",
          "127.77.1.1",
          "--address-b",
          "127.77.1.2");

  @Test
  void what_is_not_said_has_its_usual_value() throws Exception {
    LabOptions options = parse();

    assertThat(options.share()).isEqualTo(Path.of("/lab/work/share"));
    assertThat(options.a())
        .isEqualTo(new LabOptions.GuestPlace(Path.of("/lab/a.sock"), "127.77.1.1", "10.77.0.1"));
    assertThat(options.b().stateHost()).isEqualTo("10.77.0.2");
    assertThat(options.core()).isFalse();
    assertThat(options.cdev()).isFalse();
    assertThat(options.only()).isEmpty();
  }

  @Test
  void flags_and_values_may_come_in_any_order() throws Exception {
    LabOptions options = parse("--core", "--cdev", "--only", "v1", "--keep", "--only", "killed in");

    assertThat(options.core()).isTrue();
    assertThat(options.cdev()).isTrue();
    assertThat(options.keep()).isTrue();
    assertThat(options.only()).containsExactly("v1", "killed in");
  }

  @Test
  void an_unknown_option_and_a_missing_value_are_refused_by_name() {
    assertThatThrownBy(() -> parse("--hurry")).hasMessageContaining("--hurry");
    assertThatThrownBy(() -> parse("--only")).hasMessageContaining("--only has no value");
    assertThatThrownBy(() -> LabOptions.parse(new String[] {"--work", "/w"}))
        .isInstanceOf(LabOptions.BadOption.class)
        .hasMessageContaining("is missing");
  }

  private static LabOptions parse(String... more) throws LabOptions.BadOption {
    List<String> arguments = new ArrayList<>(ENOUGH);
    arguments.addAll(List.of(more));
    return LabOptions.parse(arguments.toArray(String[]::new));
  }
}
