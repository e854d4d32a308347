package dev.vfio.migration.operator.agents;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import org.junit.jupiter.api.Test;

/** The newest report of a session counts, whichever way it came. */
class SessionBookTest {
  private final SessionBook book = new SessionBook();

  private static Session session(SessionState state, long revision) {
    return Session.newBuilder()
        .setMigrationUid("uid")
        .setAttempt(1)
        .setRole(Role.DESTINATION)
        .setInstanceId("first")
        .setState(state)
        .setRevision(revision)
        .build();
  }

  private SessionState known() {
    return book.find("uid", 1, Role.DESTINATION).orElseThrow().getState();
  }

  @Test
  void anAnswerUnderANewerRevisionDoesNotHideTheReportOfThatRevision() {
    book.enterAnswer(session(SessionState.DESTINATION_ACTIVATING, 9));
    assertThat(book.enter(session(SessionState.DESTINATION_ACTIVE, 9))).isTrue();
    assertThat(known()).isEqualTo(SessionState.DESTINATION_ACTIVE);
  }

  @Test
  void anAnswerDoesNotOverwriteTheReportOfItsRevision() {
    book.enter(session(SessionState.DESTINATION_ACTIVE, 9));
    book.enterAnswer(session(SessionState.DESTINATION_ACTIVATING, 9));
    assertThat(known()).isEqualTo(SessionState.DESTINATION_ACTIVE);
  }

  @Test
  void whatIsOlderIsDroppedAndWhatIsTheSameIsNoNews() {
    Session active = session(SessionState.DESTINATION_ACTIVE, 9);
    assertThat(book.enter(active)).isTrue();
    assertThat(book.enter(active)).isFalse();
    assertThat(book.enter(session(SessionState.DESTINATION_LOADED, 7))).isFalse();
    assertThat(known()).isEqualTo(SessionState.DESTINATION_ACTIVE);
  }
}
