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

/** A guest does what it is told, and what it cannot do is said. */
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
  void output_and_status_of_a_command_come_back() throws Exception {
    Guest.Answer answer = guest.run("echo one; echo; echo 'two = 2' >&2; exit 7", BOUND);

    assertThat(answer.status()).isEqualTo(7);
    assertThat(answer.lines()).containsExactly("one", "", "two = 2");
  }

  @Test
  void lines_of_others_are_passed_over() throws Exception {
    assertThat(guest.expect("echo mine", BOUND)).isEqualTo(List.of("mine"));
    assertThat(guest.expect("echo mine again", BOUND)).isEqualTo(List.of("mine again"));
  }

  @Test
  void a_command_that_fails_is_told_with_its_output() {
    assertThatThrownBy(() -> guest.expect("echo no such thing; exit 3", BOUND))
        .isInstanceOf(GuestException.class)
        .hasMessageContaining("exit status 3")
        .hasMessageContaining("no such thing");
  }

  @Test
  void a_command_without_an_end_is_given_up() throws Exception {
    // Ends by itself, so that nothing is left of it.
    assertThatThrownBy(() -> guest.run("exec sleep 3", Duration.ofMillis(100)))
        .isInstanceOf(GuestException.class)
        .hasMessageContaining("did not end within");
    // The late answer is not taken for that of the next command.
    assertThat(guest.expect("echo next", BOUND)).isEqualTo(List.of("next"));
  }

  @Test
  void a_guest_that_ends_is_noticed_at_once() throws Exception {
    far.hangUp();

    assertThatThrownBy(() -> guest.run("true", BOUND))
        .isInstanceOf(GuestException.class)
        .hasMessageMatching("guest a (has ended|cannot be told)[\\s\\S]*");
    assertThatThrownBy(() -> guest.run("true", BOUND)).isInstanceOf(GuestException.class);
  }

  @Test
  void a_command_of_several_lines_is_refused_here() {
    assertThatThrownBy(() -> guest.run("true\nfalse", BOUND))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void where_nobody_listens_it_is_said() {
    assertThatThrownBy(() -> Guest.connect("b", folder.resolve("none.sock"), BOUND))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("guest b takes no commands")
        .hasMessageContaining("none.sock");
  }
}
