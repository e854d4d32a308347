package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.text.ForeignText;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Certificates whose names are made to be read as something else, over real TLS. */
@Timeout(120)
class HostileCertificateTest {
  private static final String FORGED =
      "x\n2026-01-01 00:00:00,000 INFO  all is well\r\u001b[2K.node.migration.vfio.dev";

  @TempDir Path work;

  private final RecordingSink sink = new RecordingSink();

  @Test
  void aSourcesNamesForgeNoLineAtEitherEnd() throws Exception {
    try (Log log = new Log();
        TwoNodes nodes = new TwoNodes(work)) {
      nodes.authority.issue(nodes.sourceTls, FORGED);
      assertThat(refusal(nodes).getMessage()).contains("x\\n2026-01-01");
      log.awaitMatch("refused .*\\[x\\\\n2026-01-01.*");
      log.awaitMatch("[^\\p{Cc}]*INFO  all is well[^\\p{Cc}]*");
    }
  }

  @Test
  void aDestinationsNamesForgeNoLineAtEitherEnd() throws Exception {
    try (Log log = new Log();
        TwoNodes nodes = new TwoNodes(work)) {
      nodes.authority.issue(nodes.destinationTls, FORGED);
      assertThat(refusal(nodes).getMessage()).contains("x\\n2026-01-01");
      log.awaitMatch("[^\\p{Cc}]*INFO  all is well[^\\p{Cc}]*");
    }
  }

  @Test
  void manyNamesMakeNoLongMessage() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work)) {
      nodes.authority.issue(
          nodes.sourceTls,
          Stream.concat(Stream.of("x"), IntStream.range(0, 500).mapToObj(i -> i + "机.example\n"))
              .toArray(String[]::new));
      StreamException why = refusal(nodes);
      assertThat(why.kind()).isEqualTo(Kind.UNAUTHENTICATED);
      assertThat(why.getMessage()).contains("(cut, ");
    }
  }

  /** What the source gets, and what a failure passes on: one line that is not too long. */
  private StreamException refusal(TwoNodes nodes) throws Exception {
    try (Awaited awaited = nodes.await(1, sink)) {
      StreamException why =
          catchThrowableOfType(StreamException.class, () -> nodes.connect(awaited, 1).close());
      assertThat(why).isNotNull();
      assertThat(ForeignText.isPlain(why.getMessage())).as(why.getMessage()).isTrue();
      assertThat(why.getMessage().getBytes(StandardCharsets.UTF_8).length)
          .isLessThanOrEqualTo(ForeignText.MAX_MESSAGE_BYTES);
      return why;
    }
  }
}
