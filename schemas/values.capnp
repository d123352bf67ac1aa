# The values of records: one struct for each value type, the twins of grevy/protocol/values.py.
#
# A field is named as in Python, in camel case, and its default is the Python one, so that an older
# frame, which lacks a field, is read as if it had the default. The codec derives the pairs from both
# sides and refuses to start when one lacks what the other has.
#
# Document: a number is the place, from 1, in the `documents` of the frame; 0 is the field's
# default. A document that several values carry is thus written once. Times are epoch ms, spans
# ms; keys are -1 where there is none. Enumerations are numbers, since Zeebe's have gaps, which
# Cap'n Proto's cannot have.

@0xb423a260082f772e;

using Document = UInt32;
using Key = Int64;

struct Value {
  union {
    job @0 :JobValue;
    deployment @1 :DeploymentValue;
    processInstance @2 :ProcessInstanceValue;
    incident @3 :IncidentValue;
    message @4 :MessageValue;
    messageSubscription @5 :MessageSubscriptionValue;
    processMessageSubscription @6 :ProcessMessageSubscriptionValue;
    jobBatch @7 :JobBatchValue;
    timer @8 :TimerValue;
    messageStartEventSubscription @9 :MessageStartEventSubscriptionValue;
    variable @10 :VariableValue;
    variableDocument @11 :VariableDocumentValue;
    processInstanceCreation @12 :ProcessInstanceCreationValue;
    error @13 :ErrorValue;
    processInstanceResult @14 :ProcessInstanceResultValue;
    process @15 :ProcessValue;
    processEvent @16 :ProcessEventValue;
    signal @17 :SignalValue;
    processInstanceBatch @18 :ProcessInstanceBatchValue;
    messageBatch @19 :MessageBatchValue;
    decision @20 :DecisionValue;
    decisionRequirements @21 :DecisionRequirementsValue;
    decisionEvaluation @22 :DecisionEvaluationValue;
    resourceDeletion @23 :ResourceDeletionValue;
    commandDistribution @24 :CommandDistributionValue;
  }
}

struct ResourceFile {
  resourceName @0 :Text;
  resource @1 :Document;
}

struct ProcessMetadata {
  bpmnProcessId @0 :Text;
  version @1 :Int64;
  processDefinitionKey @2 :Key;
  resourceName @3 :Text;
  checksum @4 :Data;  # MD5 of the resource
  duplicate @5 :Bool;
  deploymentKey @6 :Key = -1;
  versionTag @7 :Text;
}

struct DeploymentValue {
  resources @0 :List(ResourceFile);
  processesMetadata @1 :List(ProcessMetadata);
  deploymentKey @2 :Key = -1;
  decisionsMetadata @3 :List(DecisionValue);
  decisionRequirementsMetadata @4 :List(DecisionRequirementsMetadata);
}

struct DecisionRequirementsMetadata {
  decisionRequirementsId @0 :Text;
  decisionRequirementsName @1 :Text;
  decisionRequirementsVersion @2 :Int64;
  decisionRequirementsKey @3 :Key;
  namespace @4 :Text;
  resourceName @5 :Text;
  checksum @6 :Data;  # MD5 of the resource
  duplicate @7 :Bool;
  deploymentKey @8 :Key = -1;
}

struct DecisionValue {
  decisionId @0 :Text;
  decisionName @1 :Text;
  version @2 :Int64;
  decisionKey @3 :Key;
  decisionRequirementsId @4 :Text;
  decisionRequirementsKey @5 :Key;
  duplicate @6 :Bool;
  deploymentKey @7 :Key = -1;
  versionTag @8 :Text;
}

struct DecisionRequirementsValue {
  decisionRequirementsId @0 :Text;
  decisionRequirementsName @1 :Text;
  decisionRequirementsVersion @2 :Int64;
  decisionRequirementsKey @3 :Key;
  namespace @4 :Text;
  resourceName @5 :Text;
  resource @6 :Document;
  checksum @7 :Data;  # MD5 of the resource
  duplicate @8 :Bool;
  deploymentKey @9 :Key = -1;
}

struct ResourceDeletionValue {
  resourceKey @0 :Key = -1;
}

struct CommandDistributionValue {
  intent @0 :UInt16;  # as in Entry.intents
  partitionId @1 :Int64 = -1;
  queueId @2 :Text;
  deployment @3 :DeploymentValue;  # the command's value is the one that its intent speaks of
  resourceDeletion @4 :ResourceDeletionValue;
}

struct ProcessValue {
  bpmnProcessId @0 :Text;
  version @1 :Int64;
  processDefinitionKey @2 :Key;
  resourceName @3 :Text;
  resource @4 :Document;
  checksum @5 :Data;  # MD5 of the resource
  duplicate @6 :Bool;
  deploymentKey @7 :Key = -1;
  versionTag @8 :Text;
}

struct ProcessInstanceCreationValue {
  bpmnProcessId @0 :Text;
  processDefinitionKey @1 :Key = -1;
  version @2 :Int64 = -1;
  processInstanceKey @3 :Key = -1;
  variables @4 :Document;
  startInstructions @5 :List(Text);  # element ids
  fetchVariables @6 :List(Text);
  startScopes @7 :List(Key);
}

struct ProcessInstanceValue {
  bpmnProcessId @0 :Text;
  version @1 :Int64 = -1;
  processDefinitionKey @2 :Key = -1;
  processInstanceKey @3 :Key = -1;
  elementId @4 :Text;
  flowScopeKey @5 :Key = -1;
  bpmnElementType @6 :UInt8;
  bpmnEventType @7 :UInt8;
  parentProcessInstanceKey @8 :Key = -1;
  parentElementInstanceKey @9 :Key = -1;
  joiningGatewayId @10 :Text;
}

struct ProcessInstanceResultValue {
  bpmnProcessId @0 :Text;
  version @1 :Int64 = -1;
  processDefinitionKey @2 :Key = -1;
  processInstanceKey @3 :Key = -1;
  variables @4 :Document;
}

struct ProcessInstanceBatchValue {
  processInstanceKey @0 :Key = -1;
  processDefinitionKey @1 :Key = -1;
  batchElementInstanceKey @2 :Key = -1;
  index @3 :Int64 = -1;
}

struct ProcessEventValue {
  scopeKey @0 :Key = -1;
  targetElementId @1 :Text;
  variables @2 :Document;
  processDefinitionKey @3 :Key = -1;
  processInstanceKey @4 :Key = -1;
}

struct JobValue {
  type @0 :Text;
  worker @1 :Text;
  retries @2 :Int64 = -1;
  retryBackoff @3 :Int64;
  recurringTime @4 :Int64 = -1;
  deadline @5 :Int64 = -1;
  timeout @6 :Int64 = -1;
  errorMessage @7 :Text;
  errorCode @8 :Text;
  customHeaders @9 :Document;
  variables @10 :Document;
  elementId @11 :Text;
  elementInstanceKey @12 :Key = -1;
  bpmnProcessId @13 :Text;
  processDefinitionVersion @14 :Int64 = -1;
  processDefinitionKey @15 :Key = -1;
  processInstanceKey @16 :Key = -1;
  jobKind @17 :UInt8;
  jobListenerEventType @18 :UInt8;
  changedAttributes @19 :List(Text);
  activation @20 :Int64;
}

struct JobBatchValue {
  type @0 :Text;
  worker @1 :Text;
  timeout @2 :Int64 = -1;
  maxJobsToActivate @3 :Int64 = -1;
  jobKeys @4 :List(Key);
  fetchVariables @5 :List(Text);
  deadline @6 :Int64 = -1;
  truncated @7 :Bool;
}

struct IncidentValue {
  errorType @0 :UInt8;
  errorMessage @1 :Text;
  bpmnProcessId @2 :Text;
  processDefinitionKey @3 :Key = -1;
  processInstanceKey @4 :Key = -1;
  elementId @5 :Text;
  elementInstanceKey @6 :Key = -1;
  jobKey @7 :Key = -1;
  variableScopeKey @8 :Key = -1;
  parkedPosition @9 :Int64 = -1;
}

struct MessageValue {
  name @0 :Text;
  correlationKey @1 :Text;
  messageId @2 :Text;
  timeToLive @3 :Int64;
  deadline @4 :Int64 = -1;
  variables @5 :Document;
}

struct MessageBatchValue {
  messageKeys @0 :List(Key);
}

struct MessageSubscriptionValue {
  processInstanceKey @0 :Key = -1;
  elementInstanceKey @1 :Key = -1;
  processDefinitionKey @2 :Key = -1;
  bpmnProcessId @3 :Text;
  messageName @4 :Text;
  correlationKey @5 :Text;
  messageKey @6 :Key = -1;
  variables @7 :Document;
  interrupting @8 :Bool = true;
  correlation @9 :Int64;
}

struct ProcessMessageSubscriptionValue {
  subscriptionPartitionId @0 :Int64 = -1;
  processInstanceKey @1 :Key = -1;
  elementInstanceKey @2 :Key = -1;
  processDefinitionKey @3 :Key = -1;
  bpmnProcessId @4 :Text;
  messageKey @5 :Key = -1;
  messageName @6 :Text;
  correlationKey @7 :Text;
  elementId @8 :Text;
  variables @9 :Document;
  interrupting @10 :Bool = true;
  correlation @11 :Int64;
}

struct MessageStartEventSubscriptionValue {
  processDefinitionKey @0 :Key = -1;
  bpmnProcessId @1 :Text;
  startEventId @2 :Text;
  messageName @3 :Text;
  processInstanceKey @4 :Key = -1;
  correlationKey @5 :Text;
  messageKey @6 :Key = -1;
  variables @7 :Document;
}

struct TimerValue {
  elementInstanceKey @0 :Key = -1;
  processInstanceKey @1 :Key = -1;
  dueDate @2 :Int64 = -1;
  targetElementId @3 :Text;
  repetitions @4 :Int64 = 1;
  processDefinitionKey @5 :Key = -1;
}

struct SignalValue {
  signalName @0 :Text;
  variables @1 :Document;
}

struct VariableValue {
  name @0 :Text;
  value @1 :Document;  # any JSON text, not only an object
  scopeKey @2 :Key = -1;
  processInstanceKey @3 :Key = -1;
  processDefinitionKey @4 :Key = -1;
  bpmnProcessId @5 :Text;
}

struct VariableDocumentValue {
  scopeKey @0 :Key = -1;
  updateSemantics @1 :UInt8;
  variables @2 :Document;
}

struct EvaluatedInput {
  inputId @0 :Text;
  inputName @1 :Text;
  inputValue @2 :Document;  # any JSON text
}

struct EvaluatedOutput {
  outputId @0 :Text;
  outputName @1 :Text;
  outputValue @2 :Document;  # any JSON text
}

struct MatchedRule {
  ruleId @0 :Text;
  ruleIndex @1 :Int64;
  evaluatedOutputs @2 :List(EvaluatedOutput);
}

struct EvaluatedDecision {
  decisionId @0 :Text;
  decisionName @1 :Text;
  decisionKey @2 :Key;
  decisionVersion @3 :Int64;
  decisionType @4 :Text;
  decisionOutput @5 :Document;  # any JSON text
  evaluatedInputs @6 :List(EvaluatedInput);
  matchedRules @7 :List(MatchedRule);
}

struct DecisionEvaluationValue {
  decisionKey @0 :Key = -1;
  decisionId @1 :Text;
  decisionName @2 :Text;
  decisionVersion @3 :Int64 = -1;
  decisionRequirementsId @4 :Text;
  decisionRequirementsKey @5 :Key = -1;
  decisionOutput @6 :Document;  # any JSON text
  variables @7 :Document;
  bpmnProcessId @8 :Text;
  processDefinitionKey @9 :Key = -1;
  processInstanceKey @10 :Key = -1;
  elementId @11 :Text;
  elementInstanceKey @12 :Key = -1;
  evaluatedDecisions @13 :List(EvaluatedDecision);
  evaluationFailureMessage @14 :Text;
  failedDecisionId @15 :Text;
}

struct ErrorValue {
  exceptionMessage @0 :Text;
  stacktrace @1 :Text;
  errorEventPosition @2 :Int64 = -1;
  processInstanceKey @3 :Key = -1;
}
