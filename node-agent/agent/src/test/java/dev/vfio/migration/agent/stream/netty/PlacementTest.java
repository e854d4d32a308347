package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.generators.Seeds;
import org.junit.jupiter.api.Test;

/** The same place always travels on the same stream, whatever send it is part of. */
class PlacementTest {

  @Test
  void aPlaceTravelsOnOneStreamHoweverItIsCut() {
    Seeds.check(
        1000,
        values -> {
          int streams = values.integer(1, 64);
          int block = values.integer(1, 1 << 23);
          int window = values.integer(0, Integer.MAX_VALUE);
          long offset = values.number(0, Long.MAX_VALUE - (1L << 24));
          int length = values.integer(1, 1 << 23);
          Placement placement = new Placement(streams, block);
          int sent = Math.min(length, block);
          int first = placement.withinBlock(offset, sent);
          assertThat(first).isBetween(1, sent);
          assertThat(placement.isWithinBlock(offset, first)).isTrue();
          if (first < sent) {
            assertThat(placement.isWithinBlock(offset + first, sent - first))
                .as("one send touches two blocks at most")
                .isTrue();
          }
          int stream = placement.streamOf(window, offset);
          assertThat(stream).isBetween(0, streams - 1);
          assertThat(placement.streamOf(window, offset + first - 1)).isEqualTo(stream);
          assertThat(placement.streamOf(window, offset - offset % block)).isEqualTo(stream);
        });
  }

  @Test
  void blocksGoRoundTheStreams() {
    Placement placement = new Placement(3, 4096);
    assertThat(placement.streamOf(0, 0)).isEqualTo(0);
    assertThat(placement.streamOf(0, 4095)).isEqualTo(0);
    assertThat(placement.streamOf(0, 4096)).isEqualTo(1);
    assertThat(placement.streamOf(0, 3 * 4096)).isEqualTo(0);
    assertThat(placement.streamOf(2, 4096)).isEqualTo(0);
    assertThat(placement.streamOf(Integer.MAX_VALUE, Long.MAX_VALUE)).isBetween(0, 2);
  }
}
