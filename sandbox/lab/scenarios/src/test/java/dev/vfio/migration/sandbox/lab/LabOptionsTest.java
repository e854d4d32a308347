package dev.vfio.migration.sandbox.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.sandbox.cluster.options.WrongOptionException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Options of the lab are understood, or refused by their names. */
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
  void whatIsNotSaidHasItsUsualValue() throws Exception {
    LabOptions options = parse();

    assertThat(options.share()).isEqualTo(Path.of("/lab/work/share"));
    assertThat(options.a())
        .isEqualTo(new LabOptions.GuestAddress(Path.of("/lab/a.sock"), "127.77.1.1", "10.77.0.1"));
    assertThat(options.b().stateHost()).isEqualTo("10.77.0.2");
    assertThat(options.core()).isFalse();
    assertThat(options.cdev()).isFalse();
    assertThat(options.chaos()).isEmpty();
    assertThat(options.only()).isEmpty();
  }

  @Test
  void roundsOfFaultsTakeTheScenariosPlace() throws Exception {
    assertThat(parse("--chaos", "--rounds", "12", "--skip", "3", "--seed", "7").chaos())
        .contains(new LabOptions.Chaos(12, 3, 7));
    assertThat(parse("--chaos").chaos()).contains(new LabOptions.Chaos(0, 0, 0));
    assertThatThrownBy(() -> parse("--rounds", "12")).hasMessageContaining("go with --chaos");
    assertThatThrownBy(() -> parse("--chaos", "--rounds", "-1")).hasMessageContaining("from 0");
    assertThatThrownBy(() -> parse("--chaos", "--core")).hasMessageContaining("without --core");
  }

  @Test
  void flagsAndValuesMayComeInAnyOrder() throws Exception {
    LabOptions options = parse("--core", "--cdev", "--only", "v1", "--keep", "--only", "killed in");

    assertThat(options.core()).isTrue();
    assertThat(options.cdev()).isTrue();
    assertThat(options.keep()).isTrue();
    assertThat(options.only()).containsExactly("v1", "killed in");
  }

  @Test
  void anUnknownOptionAndAMissingValueAreRefusedByName() {
    assertThatThrownBy(() -> parse("--hurry")).hasMessageContaining("--hurry");
    assertThatThrownBy(() -> parse("--only")).hasMessageContaining("--only needs a value");
    assertThatThrownBy(() -> LabOptions.parse("--work", "/w"))
        .isInstanceOf(WrongOptionException.class)
        .hasMessageContaining("is missing");
  }

  private static LabOptions parse(String... more) throws WrongOptionException {
    List<String> arguments = new ArrayList<>(ENOUGH);
    arguments.addAll(List.of(more));
    return LabOptions.parse(arguments.toArray(String[]::new));
  }
}
