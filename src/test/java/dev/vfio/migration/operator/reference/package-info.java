/**
 * The generator of {@code docs/reference.md}, and the test that the committed page is what it
 * generates. It reads the committed CRDs, the operator's enums, and the configuration interfaces of
 * operator and agent as sources: of the agent it knows nothing else.
 */
package dev.vfio.migration.operator.reference;
