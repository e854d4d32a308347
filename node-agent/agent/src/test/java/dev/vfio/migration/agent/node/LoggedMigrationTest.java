package dev.vfio.migration.agent.node;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.session.SessionEnvironment.ThreadName;
import dev.vfio.migration.connections.log.LoggedMigration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import org.jboss.logging.Logger;
import org.jboss.logmanager.ExtLogRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A line of the log carries the migration that it belongs to, and never another. */
@SuppressWarnings("try") // The log is what asks them.
class LoggedMigrationTest {
  private static final Logger LOG = Logger.getLogger(LoggedMigrationTest.class);

  /** Message to what its line says of the migration, as the console's format reads it. */
  private final Map<String, String> lines = new ConcurrentHashMap<>();

  private final ExecutorService shared = Executors.newSingleThreadExecutor();

  private final Handler console =
      new Handler() {
        @Override
        public void publish(LogRecord record) {
          ExtLogRecord known = (ExtLogRecord) record;
          known.copyMdc();
          lines.put(
              known.getFormattedMessage(),
              text(known.getMdc("migration")) + "/" + text(known.getMdc("attempt")));
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };

  private static String text(String value) {
    return value == null ? "" : value;
  }

  @BeforeEach
  void listen() {
    java.util.logging.Logger.getLogger(LoggedMigrationTest.class.getName()).addHandler(console);
  }

  @AfterEach
  void stop() {
    shared.shutdownNow();
    java.util.logging.Logger.getLogger(LoggedMigrationTest.class.getName()).removeHandler(console);
  }

  @Test
  void aThreadThatIsMadeMeanwhileCarriesNoMigration() throws Exception {
    try (LoggedMigration first = LoggedMigration.open("a/first", 1)) {
      LOG.info("own");
      shared.submit(() -> LOG.info("made meanwhile")).get(40, TimeUnit.SECONDS);
    }
    try (LoggedMigration second = LoggedMigration.open("a/second", 2)) {
      shared.submit(() -> LOG.info("used by another")).get(40, TimeUnit.SECONDS);
      shared
          .submit(
              () -> {
                try (LoggedMigration third = LoggedMigration.open("a/third", 3)) {
                  LOG.info("for a third");
                }
                LOG.info("after the third");
              })
          .get(40, TimeUnit.SECONDS);
    }
    LOG.info("at the end");

    assertThat(lines)
        .containsOnly(
            Map.entry("own", "a/first/1"),
            Map.entry("made meanwhile", "/"),
            Map.entry("used by another", "/"),
            Map.entry("for a third", "a/third/3"),
            Map.entry("after the third", "/"),
            Map.entry("at the end", "/"));
  }

  @Test
  void whatWasCarriedBeforeIsCarriedAgain() {
    try (LoggedMigration outer = LoggedMigration.open("a/outer", 1)) {
      try (LoggedMigration inner = LoggedMigration.open("a/inner", 2)) {
        LOG.info("inner");
      }
      LOG.info("outer");
    }
    assertThat(lines)
        .containsOnly(Map.entry("inner", "a/inner/2"), Map.entry("outer", "a/outer/1"));
  }

  /** A session's thread ends while it is idle: whoever has something for it makes the next one. */
  @Test
  void aSessionsThreadCarriesItsOwnMigrationWhoeverMadeIt() throws Exception {
    SessionWorker worker = new SessionWorker(new ThreadName(new SessionKey("uid", 7), "a/own"));
    CompletableFuture<Void> done = new CompletableFuture<>();
    CompletableFuture<Void> beside = new CompletableFuture<>();
    try (LoggedMigration other = LoggedMigration.open("a/other", 1)) {
      worker.execute(
          () -> {
            LOG.info("session");
            worker.waitBeside(
                () -> {
                  LOG.info("beside");
                  shared.execute(
                      () -> {
                        LOG.info("pool");
                        beside.complete(null);
                      });
                });
            done.complete(null);
          });
      done.get(40, TimeUnit.SECONDS);
      beside.get(40, TimeUnit.SECONDS);
    }
    assertThat(lines)
        .containsOnly(
            Map.entry("session", "a/own/7"),
            Map.entry("beside", "a/own/7"),
            Map.entry("pool", "/"));
  }
}
