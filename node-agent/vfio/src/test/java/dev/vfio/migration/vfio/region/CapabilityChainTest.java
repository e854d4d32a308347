package dev.vfio.migration.vfio.region;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.sandbox.generators.Seeds;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionInfoBytes;
import dev.vfio.migration.vfio.access.RegionInfoLayout;
import dev.vfio.migration.vfio.access.RegionPart;
import dev.vfio.migration.vfio.region.CapabilityChain.MalformedException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A capability chain is believed only as far as it stays inside what was received. */
class CapabilityChainTest {

  @Test
  void everyCapabilityOfAWellFormedChainIsFoundInOrder() {
    Seeds.check(
        500,
        values -> {
          List<Integer> ids = values.list(0, 40, () -> values.integer(3, 65535));
          RegionInfoBytes bytes = RegionInfoBytes.plain(9, 4096);
          ids.forEach(bytes::capability);
          assertThat(CapabilityChain.of(bytes.parse()).capabilities())
              .extracting(CapabilityChain.Capability::id)
              .isEqualTo(ids);
        });
  }

  @Test
  void anyBytesEitherWalkToAnEndOrAreMalformed() {
    Seeds.check(
        2000, values -> walksToAnEndOrIsMalformed(values.bytes(32, 160), values.integer(0, 160)));
  }

  private static void walksToAnEndOrIsMalformed(byte[] noise, int first) {
    ByteBuffer bytes = ByteBuffer.wrap(noise).order(ByteOrder.nativeOrder());
    bytes.putInt(4, bytes.getInt(4) | 0b1000).putInt(12, first);
    // Offsets that stay near make chains that are worth walking.
    for (int at = 36; at + 4 <= noise.length; at += 8) {
      bytes.putInt(at, bytes.getInt(at) & 0xff);
    }
    RegionInfo info = RegionInfoLayout.parse(bytes);
    try {
      CapabilityChain chain = CapabilityChain.of(info);
      assertThat(chain.capabilities())
          .hasSizeLessThanOrEqualTo(noise.length)
          .allSatisfy(found -> assertThat(found.offset()).isBetween(32, noise.length - 8));
      chain.type();
      assertThat(chain.mappableParts())
          .allSatisfy(
              part -> {
                assertThat(part.offset()).isBetween(0L, info.size() - 1);
                assertThat(part.size()).isBetween(1L, info.size() - part.offset());
              });
    } catch (MalformedException malformed) {
      assertThat(malformed).hasMessageMatching(".*\\S.*");
    }
  }

  @Test
  void aChainThatComesBackIsRefused() {
    RegionInfoBytes loop = RegionInfoBytes.plain(9, 4096).capability(7).type(1 << 30, 1);
    loop.patch(32 + 24 + 4, 32);
    assertThatThrownBy(() -> CapabilityChain.of(loop.parse()))
        .isInstanceOf(MalformedException.class)
        .hasMessageContaining("comes back to offset 32");
  }

  @Test
  void anOffsetIntoTheRegionInfoIsRefused() {
    RegionInfo info = RegionInfoBytes.plain(9, 4096).type(1 << 30, 1).patch(12, 8).parse();
    assertThatThrownBy(() -> CapabilityChain.of(info))
        .isInstanceOf(MalformedException.class)
        .hasMessageContaining("offset 8 lies in the region info");
  }

  @Test
  void anOffsetBehindWhatWasReceivedIsRefused() {
    for (int offset : new int[] {41, 4096, Integer.MAX_VALUE, -8}) {
      RegionInfo info = RegionInfoBytes.plain(9, 4096).type(1 << 30, 1).patch(12, offset).parse();
      assertThatThrownBy(() -> CapabilityChain.of(info))
          .isInstanceOf(MalformedException.class)
          .hasMessageContaining("leaves no room for a header in the 48 bytes");
    }
  }

  @Test
  void aTypeThatIsCutShortIsRefused() throws MalformedException {
    RegionInfo info = RegionInfoBytes.plain(9, 4096).type(1 << 30, 1).cut(4).parse();
    CapabilityChain chain = CapabilityChain.of(info);
    assertThatThrownBy(chain::type)
        .isInstanceOf(MalformedException.class)
        .hasMessageContaining("cut short");
  }

  @Test
  void capabilitiesCountOnlyWhereTheFlagSaysSo() throws MalformedException {
    RegionInfo info = RegionInfoBytes.plain(9, 4096).type(1 << 30, 1).flags(0b0011).parse();
    assertThat(CapabilityChain.of(info).capabilities()).isEmpty();
  }

  @Test
  void theSparseCapabilityNamesTheMappableParts() throws MalformedException {
    RegionInfo info = RegionInfoBytes.migration(9, 16384).sparse(4096, 4096, 12288, 4096).parse();
    assertThat(CapabilityChain.of(info).mappableParts())
        .containsExactly(new RegionPart(4096, 4096), new RegionPart(12288, 4096));
  }

  @Test
  void aMappableRegionWithoutSparseCapabilityIsMappableAsAWhole() throws MalformedException {
    RegionInfo info = RegionInfoBytes.migration(9, 16384).flags(0b1111).parse();
    assertThat(CapabilityChain.of(info).mappableParts()).containsExactly(new RegionPart(0, 16384));
    RegionInfo unmappable = RegionInfoBytes.migration(9, 16384).parse();
    assertThat(CapabilityChain.of(unmappable).mappableParts()).isEmpty();
  }

  @Test
  void aMappableAreaOutsideTheRegionIsRefused() throws MalformedException {
    long[][] outside = {{0, 16385}, {16384, 1}, {-1, 1}, {4096, -1}, {4096, 0}};
    for (long[] area : outside) {
      RegionInfo info = RegionInfoBytes.migration(9, 16384).sparse(area).parse();
      CapabilityChain chain = CapabilityChain.of(info);
      assertThatThrownBy(chain::mappableParts)
          .isInstanceOf(MalformedException.class)
          .hasMessageContaining("is not inside the region");
    }
  }

  @Test
  void moreAreasThanWereReceivedAreRefused() throws MalformedException {
    RegionInfo info =
        RegionInfoBytes.plain(9, 16384).sparse(4096, 4096).patch(32 + 8, 1 << 30).parse();
    CapabilityChain chain = CapabilityChain.of(info);
    assertThatThrownBy(chain::mappableParts)
        .isInstanceOf(MalformedException.class)
        .hasMessageContaining("names 1073741824 areas and is cut short");
  }
}
