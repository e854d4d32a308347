package dev.vfio.migration.sandbox.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A guest runs commands, and a command that fails is reported. */
class GuestTest {
  private static final Duration BOUND = Duration.ofSeconds(40);

  @TempDir Path folder;
  private FakeGuest far;
  private Guest guest;

  @BeforeEach
  void connect() throws Exception {
    far = FakeGuest.listen(folder.resolve("g.sock"));
    guest = Guest.connect("a", folder.resolve("g.sock"), BOUND);
  }

  @AfterEach
  void disconnect() throws Exception {
    guest.close();
    far.close();
  }

  @Test
  void outputAndStatusOfACommandComeBack() throws Exception {
    Guest.Answer answer = guest.run("echo one; echo; echo 'two = 2' >&2; exit 7", BOUND);

    assertThat(answer.status()).isEqualTo(7);
    assertThat(answer.lines()).containsExactly("one", "", "two = 2");
  }

  @Test
  void linesOfOthersArePassedOver() throws Exception {
    assertThat(guest.expect("echo mine", BOUND)).isEqualTo(List.of("mine"));
    assertThat(guest.expect("echo mine again", BOUND)).isEqualTo(List.of("mine again"));
  }

  @Test
  void aFailedCommandIsReportedWithItsOutput() {
    assertThatThrownBy(() -> guest.expect("echo no such thing; exit 3", BOUND))
        .isInstanceOf(GuestException.class)
        .hasMessageContaining("exit status 3")
        .hasMessageContaining("no such thing");
  }

  @Test
  void aCommandWithoutAnEndIsGivenUp() throws Exception {
    // Ends by itself, so that nothing is left of it.
    assertThatThrownBy(() -> guest.run("exec sleep 3", Duration.ofMillis(100)))
        .isInstanceOf(GuestException.class)
        .hasMessageContaining("did not end within");
    // The late answer is not taken for that of the next command.
    assertThat(guest.expect("echo next", BOUND)).isEqualTo(List.of("next"));
  }

  @Test
  void aGuestThatEndsIsNoticedAtOnce() throws Exception {
    far.hangUp();

    assertThatThrownBy(() -> guest.run("true", BOUND))
        .isInstanceOf(GuestException.class)
        .hasMessageMatching("guest a (has ended|takes no command)[\\s\\S]*");
    assertThatThrownBy(() -> guest.run("true", BOUND)).isInstanceOf(GuestException.class);
  }

  @Test
  void aCommandOfSeveralLinesIsRefusedHere() {
    assertThatThrownBy(() -> guest.run("true\nfalse", BOUND))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void whereNobodyListensItIsSaid() {
    assertThatThrownBy(() -> Guest.connect("b", folder.resolve("none.sock"), BOUND))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("guest b takes no commands")
        .hasMessageContaining("none.sock");
  }
}
